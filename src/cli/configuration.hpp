// The configuration in force: a file that was named or found, or the defaults, changed by command-line options.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cooldown/config/load.hpp"

#include "command_line.hpp"

namespace cooldown::cli {

/// Its source.
struct source {
  std::string path;                 // empty: the defaults
  std::vector<std::string> looked;  // places searched without finding a file
  std::string text() const;         // for the log
};

source find_configuration(const arguments& args, const config::environment& env);

/// Every error as a line, and the exit code: that of the command line if it has an error, otherwise that of the
/// configuration.
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

/// A warning if every user of the machine can read the file and it contains secrets; otherwise empty.
std::optional<std::string> exposed_secrets(const source& from, const config::settings& s);

/// Whether the upstream's headers decide when requests are sent, or only the configured limits.
bool headers_decide(const config::settings& s, const config::upstream_settings& upstream);

/// What is sent as the key of an account, in words, never the key itself. `path`: as of config::each_upstream().
std::string key_sent(const config::upstream_settings& upstream, const std::string& path, std::size_t account,
                     const config::environment& env);

/// Whether there is something to say that nobody may expect: static limits decide, or there are several accounts.
bool is_worth_saying(const config::settings& s);

/// A sentence for each account of each upstream: headers or static limits, which limits, whose key is sent, and what to
/// write to let the headers decide. It begins with the account's name if there are several.
std::vector<std::string> who_decides(const config::settings& s, const config::environment& env);

/// A warning for each two upstreams that send the same key to the same place.
std::vector<std::string> shared_accounts(const config::settings& s);

}  // namespace cooldown::cli
