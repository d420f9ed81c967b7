// Workloads as YAML; docs/schedule.md describes the format.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quota/workload.hpp"

namespace cooldown::bench {

/// "file:line: message"
struct workload_error {
  std::string message;
};

/// The workload that `text` describes; `file` is its name, for messages.
std::variant<workload, workload_error> read_workload(std::string_view text, const std::string& file);

/// The workloads in a file, or in all .yaml files of a directory, ordered by file name.
std::variant<std::vector<workload>, workload_error> load_workloads(const std::string& path);

}  // namespace cooldown::bench
