// Suggestions for misspelt names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cooldown::config {

/// The name in `known` that `name` is probably a misspelling of, or "": it differs by few edits (a swap of neighbours
/// counts as one), or is the only one with the same beginning; case-insensitive.
std::string nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace cooldown::config
