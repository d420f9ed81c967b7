// The part of a workload's file that describes the provider.
#pragma once

#include <string>

#include "quota/fields.hpp"

namespace cooldown::bench {

/// Throws a bad_field.
provider_settings read_provider(const yaml_node& node, const std::string& path);

}  // namespace cooldown::bench
