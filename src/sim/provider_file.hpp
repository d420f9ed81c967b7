// The `provider:` section of a workload's file: for the bench, and for `cerebras-sim --provider`.
#pragma once

#include <string>
#include <variant>

#include "cooldown/sim/provider_settings.hpp"

#include "sim/fields.hpp"

namespace cooldown::sim {

/// Length of a run if its file has none.
inline constexpr nanoseconds usual_length = std::chrono::minutes{30};

/// Throws a bad_field.
provider_settings read_provider(const yaml_node& node, const std::string& path);

/// `file:line: message`
std::string complaint(const std::string& file, config::place at, const std::string& message);

/// The provider in a file, and the length of a run; the rest of the file is ignored.
struct provider_file {
  provider_settings provider;
  nanoseconds length = usual_length;
};
/// Reads the file with that name. A string is an error message.
std::variant<provider_file, std::string> load_provider(const std::string& path);

}  // namespace cooldown::sim
