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

/// By its word: "model", "day" and so on, one of those that the command line takes.
state::grouping grouping_of(std::string_view word);

/// Prints the usage that a database holds since a moment, in seconds since 1970. Returns an exit code.
int show_usage(const std::string& file, std::int64_t since, const std::string& by, usage_format as);

}  // namespace cooldown::cli
