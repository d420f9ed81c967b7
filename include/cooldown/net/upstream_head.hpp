// The head that the provider gets, made from a client's.
#pragma once

#include <string>

#include "cooldown/config/config.hpp"
#include "cooldown/net/request.hpp"

namespace cooldown::net {

/// The whole head for the provider that the settings name, rebuilt from parsed values: nothing of the client's framing
/// gets there. Made for each attempt, since a reload may have changed the provider or its key.
std::string upstream_head(const request& r, const config::settings& settings, std::string_view via);

/// True if the request is not for the provider of the settings: it carries a key of its client's that was sent for
/// another one, or its path could leave that of this one, which the one before allowed.
bool is_for_another_provider(const request& r, const config::settings& settings);

}  // namespace cooldown::net
