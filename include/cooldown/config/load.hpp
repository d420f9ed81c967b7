// Reads a configuration file: every error it holds is found in one pass and told with its place and its mend.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cooldown/config/config.hpp"

namespace cooldown::config {

/// One thing wrong with a configuration. `text()` is "file:line:column: key: message"; it never holds a secret's value.
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

/// The process's own environment, and where a variable is not set, the service's credential of that name.
environment process_environment();

/// What the command line changes. It is applied before the rules between keys are checked, so that they hold for the
/// settings in force.
using adjustment = std::function<void(settings&)>;

/// Parses YAML text. `file` is only used in messages. Either all settings, or every problem found (never an empty
/// list). Text without a section `cerebras` schedules by the provider's headers; where it names no key,
/// CEREBRAS_API_KEY is taken.
std::variant<settings, problems> parse(std::string_view yaml, std::string_view file, const environment& env,
                                       const adjustment& adjust = {});

/// Reads and parses a file; a file that cannot be read is one problem.
std::variant<settings, problems> load_file(const std::string& path, const environment& env,
                                           const adjustment& adjust = {});

/// Where YAML text gives this key: ":line:column", as in a problem's text; empty: nowhere, as by default.
std::string place_of(std::string_view key, std::string_view yaml);

/// All settings as YAML that load_file() takes, defaults included; secrets are replaced by "***".
std::string print(const settings& s);

/// Sets one key that holds a single value; returns what is wrong with it, if anything.
std::optional<std::string> assign(settings& s, std::string_view key, std::string_view value);

/// What the loader knows about a key; docs/configuration.md is held to it by a test.
struct key_facts {
  std::string path;      // "cerebras.queue.max_depth"
  std::string kind;      // "integer", "size", "duration", ...
  std::string fallback;  // the default, as it would be written in the file
  std::string range;     // "0 to 65535", "true or false", ...
};

/// Every key, in the order of config.yaml.example.
std::vector<key_facts> key_reference();

/// The paths of them.
std::vector<std::string> known_keys();

}  // namespace cooldown::config
