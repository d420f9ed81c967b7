// A workload as JSON, for programs that run it elsewhere (bench/acceptance.mjs).
#pragma once

#include <string>

#include "quota/workload.hpp"

namespace cooldown::bench {

/// One object on one line: the file's clients and configuration with defaults filled in, and `possible_tokens`.
std::string description_of(const workload& w, double possible_tokens);

/// As a JSON string.
std::string quoted(const std::string& text);

}  // namespace cooldown::bench
