// `check --online`: whether the providers can be reached, and take the keys.
#pragma once

#include <string>

#include "cooldown/config/load.hpp"

namespace cooldown::cli {

/// Asks each account's provider, and prints a line for each that begins with `name`. The exit code: `unavailable` if
/// one cannot be used.
int check_online(const config::settings& settings, const std::string& name, const config::environment& env);

}  // namespace cooldown::cli
