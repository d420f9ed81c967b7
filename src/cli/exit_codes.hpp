// Exit codes after sysexits.h, for those that the program gives itself.
#pragma once

#include <sysexits.h>

namespace cooldown::cli {

constexpr int ok = EX_OK;
constexpr int usage = EX_USAGE;               // the command line
constexpr int bad_configuration = EX_CONFIG;  // the configuration, or files it names
constexpr int unavailable = EX_UNAVAILABLE;   // no address to listen on; no proxy to ask
constexpr int failed = EX_SOFTWARE;           // anything else
constexpr int check_config_failed = 1;        // what --check-config has always said
constexpr int command_not_found = 127;        // of `run`, as a shell says it
constexpr int command_not_executable = 126;

}  // namespace cooldown::cli
