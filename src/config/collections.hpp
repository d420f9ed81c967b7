// The keys that have more than one value: limits and names of models, attributes of clients, rules for clients, tokens,
// keys, origins, host names. `path` is the key's, for messages.
#pragma once

#include <string>

#include "value_reader.hpp"

namespace cooldown::config {

/// cerebras.limits: {MODEL: {rpm: 30, ...}, ...}; "default" and "*" apply to every other model.
bool read_limits(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// cerebras.api_keys: [SECRET, ...].
bool read_api_keys(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// cerebras.models: {NAME: NAME THERE, ...}; "*": "*": every other model.
bool read_models(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// cerebras.rate_limits.headers: {NAME: WHAT IT TELLS, ...}.
bool read_headers(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// cerebras.queue.fair_share_by: a list of words, or one.
bool read_fair_share(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// cerebras.clients: [{match: {...}, priority: 0, weight: 2}, ...].
bool read_clients(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// server.auth_tokens: [SECRET, ...].
bool read_auth_tokens(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// server.allowed_origins: [ORIGIN, ...]; "*": any.
bool read_allowed_origins(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

/// server.allowed_hosts: [NAME, ...]; "*": any.
bool read_allowed_hosts(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

}  // namespace cooldown::config
