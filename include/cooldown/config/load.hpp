// Reads a configuration file, and reports all its errors in one pass, each with its location and how to fix it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cooldown/config/config.hpp"

namespace cooldown::config {

/// One error in a configuration. `text()` is "file:line:column: key: message"; it never contains a secret's value.
struct problem {
  std::string file;
  int line = 0;     // 1-based; 0: the file as a whole
  int column = 0;   // 1-based
  std::string key;  // dotted path, "cerebras.queue.max_depth"; empty: the file as a whole
  std::string message;
  std::string text() const;
};

using problems = std::vector<problem>;

/// Looks up an environment variable; nullopt when it is not set. A parameter so that tests need no environment.
using environment = std::function<std::optional<std::string>(std::string_view name)>;

/// The process's environment; if a variable is not set, the service's credential of that name.
environment process_environment();

/// Changes made by the command line. Applied before the rules between keys are checked, so that they hold for the
/// settings in force.
using adjustment = std::function<void(settings&)>;

/// Parses YAML text. `file` is only used in messages. Returns either all settings, or every error (never an empty
/// list). Without a section `cerebras`, use_headers is true; without a key, CEREBRAS_API_KEY is used.
std::variant<settings, problems> parse(std::string_view yaml, std::string_view file, const environment& env,
                                       const adjustment& adjust = {});

/// Reads and parses a file; an unreadable file is one error.
std::variant<settings, problems> load_file(const std::string& path, const environment& env,
                                           const adjustment& adjust = {});

/// Where YAML text gives this key: ":line:column", as in a problem's text; empty: nowhere, as by default.
std::string place_of(std::string_view key, std::string_view yaml);

/// All settings as YAML that load_file() takes, defaults included; secrets are replaced by "***".
std::string print(const settings& s);

/// Sets one key that has a single value. Returns the error, if any.
std::optional<std::string> assign(settings& s, std::string_view key, std::string_view value);

/// The reference entry of a key; a test compares docs/configuration.md with these.
struct key_facts {
  std::string path;      // "cerebras.queue.max_depth"
  std::string kind;      // "integer", "size", "duration", ...
  std::string fallback;  // the default, as it would be written in the file
  std::string range;     // "0 to 65535", "true or false", ...
};

/// Every key, in the order of config.yaml.example.
std::vector<key_facts> key_reference();

/// The paths of all keys, in the same order.
std::vector<std::string> known_keys();

}  // namespace cooldown::config
