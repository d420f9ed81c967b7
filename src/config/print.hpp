// Prints the keys that have more than one value; collections.hpp reads them.
#pragma once

#include "cooldown/config/config.hpp"

#include "keys.hpp"

namespace cooldown::config {

/// What is printed for a secret. As a key it stands for any.
inline constexpr const char* hidden_secret = "***";

void print_limits(YAML::Emitter& out, const settings& s);
void print_headers(YAML::Emitter& out, const settings& s);
void print_fair_share(YAML::Emitter& out, const settings& s);
void print_clients(YAML::Emitter& out, const settings& s);
void print_auth_tokens(YAML::Emitter& out, const settings& s);
void print_api_keys(YAML::Emitter& out, const settings& s);
void print_models(YAML::Emitter& out, const settings& s);
void print_allowed_origins(YAML::Emitter& out, const settings& s);
void print_allowed_hosts(YAML::Emitter& out, const settings& s);

/// All keys of a table as a map, each section once.
void print_keys(YAML::Emitter& out, const key_table& table, const settings& s);

}  // namespace cooldown::config
