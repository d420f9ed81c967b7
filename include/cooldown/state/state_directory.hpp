// Where the daemon's memory is: the database, and the key of the hashes in it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cooldown::state {

/// The value of an environment variable, if it is set.
using variable = std::function<std::optional<std::string>(std::string_view name)>;

struct database_place {
  std::string file;
  bool chosen = true;  // by the configuration or the environment; false: it is the one in the home directory
};

/// The database's file: `configured`, or state.db in $STATE_DIRECTORY (systemd.exec(5)), else in cooldown-proxy below
/// $XDG_STATE_HOME, else below ~/.local/state. nullopt: none of them is known.
std::optional<database_place> database_file(const std::string& configured, const variable& environment);

/// Creates the directory of the file, if it does not exist, for the user alone. Returns the secret beside it, 32 random
/// bytes that are made once: hashes keyed with it are the same after a restart, and reveal no key. Throws
/// std::runtime_error.
std::string secret_beside(const std::string& file);

}  // namespace cooldown::state
