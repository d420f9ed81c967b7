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
std::variant<config::settings, std::vector<std::string>> load(const source& from, const arguments& args,
                                                              const config::environment& env);

/// Whether the provider's headers decide when requests go, or the configured limits alone.
bool headers_decide(const config::settings& s);

/// In a sentence: who decides, with which limits, whose key goes where, and what to write to let the headers decide.
std::string who_decides(const config::settings& s, const config::environment& env);

}  // namespace cooldown::cli
