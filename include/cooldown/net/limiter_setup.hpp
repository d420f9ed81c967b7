// Translates the configuration for the limiter.
#pragma once

#include "cooldown/config/config.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::net {

/// For an account of `upstream`, which is one of the settings.
limiter_settings limiter_of(const config::settings& s, const config::upstream_settings& upstream);

}  // namespace cooldown::net
