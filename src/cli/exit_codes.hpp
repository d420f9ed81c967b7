// Exit codes, after sysexits.h.
#pragma once

#include <sysexits.h>

namespace cooldown::cli {

constexpr int ok = EX_OK;
constexpr int usage = EX_USAGE;               // wrong command line
constexpr int bad_configuration = EX_CONFIG;  // wrong configuration, or a file it names cannot be used
constexpr int unavailable =
    EX_UNAVAILABLE;  // cannot listen; no proxy answers `status`; a provider does not answer `check --online`
constexpr int failed = EX_SOFTWARE;     // any other error
constexpr int check_config_failed = 1;  // --check-config found an error
constexpr int command_not_found = 127;  // of `run`, as in a shell
constexpr int command_not_executable = 126;

}  // namespace cooldown::cli
