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

/// Every problem as a line, and the exit code: of the command line if it has any, otherwise of the configuration.
struct problems {
  std::vector<std::string> lines;
  int code;
};

std::variant<config::settings, problems> load(const source& from, const arguments& args,
                                              const config::environment& env);

/// A line like those of `problems`, of what is wrong with something that the configuration names: "key: message".
std::string located(const source& from, const std::string& wrong);

/// Why the log cannot be written to this file; nullopt: it can, or the name is empty. Creates nothing.
std::optional<std::string> unwritable(const std::string& log_file);

/// A warning if every user of the machine can read the file, and there are secrets in it as they are.
std::optional<std::string> exposed_secrets(const source& from, const config::settings& s);

/// Whether the provider's headers decide when requests go, or the configured limits alone.
bool headers_decide(const config::settings& s);

/// In a sentence: who decides, with which limits, whose key goes where, and what to write to let the headers decide.
std::string who_decides(const config::settings& s, const config::environment& env);

}  // namespace cooldown::cli
