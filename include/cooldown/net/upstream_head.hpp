// Builds the request head for the provider from the client's.
#pragma once

#include <string>

#include "cooldown/config/config.hpp"
#include "cooldown/net/request.hpp"

namespace cooldown::net {

/// The complete head for the provider in the settings, rebuilt from parsed values, without any of the client's framing.
/// Built for each attempt, because a reload may have changed the provider or its key.
std::string upstream_head(const request& r, const config::settings& settings, std::string_view via);

/// True if the request must not go to the provider in the settings: it carries its client's own key, which was sent for
/// another provider, or its path could leave the path of base_url, although that of the previous provider allowed it.
bool is_for_another_provider(const request& r, const config::settings& settings);

}  // namespace cooldown::net
