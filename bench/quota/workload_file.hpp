// Workloads as YAML; docs/schedule.md describes the format.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quota/workload.hpp"

namespace cooldown::bench {

/// "file:line: what is wrong"
struct workload_error {
  std::string message;
};

/// The workload that `text` describes; `file` is its name, for messages.
std::variant<workload, workload_error> read_workload(std::string_view text, const std::string& file);

/// Of a file, or of every .yaml in a directory, in the order of their names.
std::variant<std::vector<workload>, workload_error> load_workloads(const std::string& path);

}  // namespace cooldown::bench
