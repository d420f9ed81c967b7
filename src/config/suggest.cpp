#include "suggest.hpp"

#include <algorithm>
#include <cstddef>

#include "cooldown/text/ascii.hpp"

namespace cooldown::config {
namespace {

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto const same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0U : 1U)});
      auto const swapped = i > 1 && j > 1 && ascii_lower(a[i - 1]) == ascii_lower(b[j - 2]) &&
                           ascii_lower(a[i - 2]) == ascii_lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

/// "log" for logging, "features" for feature_flags, "warning" for warn.
bool shares_beginning(std::string_view name, std::string_view candidate) {
  std::size_t n = 0;
  while (n < std::min(name.size(), candidate.size()) && ascii_lower(name[n]) == ascii_lower(candidate[n])) ++n;
  return n >= 3 && (n == candidate.size() || n + (n > 4 ? 1 : 0) >= name.size());
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t longest = 64;  // no known name is near it, and the work is quadratic
  std::string best;
  std::size_t fewest = longest;
  if (name.size() > longest) return best;
  for (auto const& candidate : known) {
    auto const n = edits(name, candidate);
    auto const bound = std::min(std::max<std::size_t>(2, candidate.size() / 3), candidate.size() / 2);
    if (n > bound || n >= fewest || n >= name.size()) continue;
    fewest = n;
    best = candidate;
  }
  if (!best.empty()) return best;
  auto const shares = [&](const std::string& candidate) { return shares_beginning(name, candidate); };
  auto const found = std::find_if(known.begin(), known.end(), shares);
  // Two names with the same beginning are ambiguous.
  if (found == known.end() || std::find_if(found + 1, known.end(), shares) != known.end()) return {};
  return *found;
}

}  // namespace cooldown::config
