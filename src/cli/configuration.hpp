// Which configuration is in force: the file that was named or found, or the defaults, and the options above it.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cooldown/config/load.hpp"

#include "command_line.hpp"

namespace cooldown::cli {

/// Where it comes from.
struct source {
  std::string path;                 // empty: the defaults
  std::vector<std::string> looked;  // where there was none
  std::string text() const;         // for the log
};

source find_configuration(const arguments& args, const config::environment& env);

/// Settings, or every problem as a line.
std::variant<config::settings, std::vector<std::string>> load(const source& from, const overrides& above,
                                                              const config::environment& env);

}  // namespace cooldown::cli
