// The known name that somebody meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cooldown::config {

/// The one of `known` that `name` is a slip of, or "": few edits (a swap of neighbours is one), or the only one
/// that begins like it; whatever the case.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace cooldown::config
