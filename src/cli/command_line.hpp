// What was typed.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cooldown::cli {

enum class command { serve, check, print_config, status, usage, run, completion, manual, help };

/// Options that override the configuration file.
struct overrides {
  std::string listen;        // [HOST:]PORT
  std::string admin_listen;  // [HOST:]PORT
  std::string upstream;      // URL
  std::string log_level;
};

struct arguments {
  command what = command::serve;
  std::string config;  // empty: searched for
  overrides above;
  bool check_flag = false;  // --check-config rather than `check`
  bool online = false;      // of `check`
  bool watch = false;
  bool json = false;
  bool csv = false;
  std::string since = "7d";
  std::string by = "model";
  std::string admin;                      // URL; empty: from the configuration
  std::vector<std::string> command_line;  // of `run`
  std::string shell;
  std::string topic;  // of `help`: a command; empty: all
};

/// The arguments, or the exit code after help, version or a complaint was printed.
std::variant<arguments, int> parse(int argc, char** argv);

/// A script for bash, zsh or fish; a manual page in roff. Made from the options themselves.
std::string completion_script(const std::string& shell);
std::string manual_page();

/// What --help prints of a command, or of all; nullopt: there is no such command.
std::optional<std::string> help_text(const std::string& topic);

}  // namespace cooldown::cli
