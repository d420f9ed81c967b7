// The `provider:` section of a workload's file: for the bench, and for `cerebras-sim --provider`.
#pragma once

#include <string>
#include <variant>

#include "cooldown/sim/provider_settings.hpp"

#include "sim/fields.hpp"

namespace cooldown::sim {

/// Of a run, if its file says nothing else.
inline constexpr nanoseconds usual_length = std::chrono::minutes{30};

/// Throws a bad_field.
provider_settings read_provider(const yaml_node& node, const std::string& path);

/// `file:line: what is wrong`
std::string complaint(const std::string& file, config::place at, const std::string& message);

/// What a file says about the provider and about how long a run is; the rest of it is not looked at.
struct provider_file {
  provider_settings provider;
  nanoseconds length = usual_length;
};
/// Of the file named so; a string says what is wrong with it.
std::variant<provider_file, std::string> load_provider(const std::string& path);

}  // namespace cooldown::sim
