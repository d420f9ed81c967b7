// Translates the configuration for the limiter.
#pragma once

#include "cooldown/config/config.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::net {

limiter_settings limiter_of(const config::settings& s);

}  // namespace cooldown::net
