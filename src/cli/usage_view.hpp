// `cooldown-proxy usage`: what was used, from the daemon's database.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/state/store.hpp"

namespace cooldown::cli {

enum class usage_format { table, json, csv };

/// `by`: the word for the grouping, and the name of its column.
std::string render_usage(const std::vector<state::usage_sum>& sums, std::string_view by, usage_format as);

/// Prints the usage that a database holds since a moment, in seconds since 1970. `by`: one of state::grouping_words.
/// Returns an exit code.
int show_usage(const std::string& file, std::int64_t since, std::string_view by, usage_format as);

}  // namespace cooldown::cli
