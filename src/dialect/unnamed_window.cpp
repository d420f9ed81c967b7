#include "cooldown/dialect/unnamed_window.hpp"

#include <cmath>
#include <utility>

namespace cooldown {
namespace {

constexpr unsigned enough = 3;
// A reset is rounded, at most to a second, and others may have used a little between the two readings.
constexpr double tolerance = 0.1;
constexpr double rounding = 1;  // second

/// nullopt: inconclusive.
std::optional<window> window_of(const limit_snapshot& s) {
  if (!s.limit || !s.remaining || !s.reset || *s.remaining >= *s.limit) return std::nullopt;
  double const used = static_cast<double>(*s.limit - *s.remaining) / static_cast<double>(*s.limit);
  double const reset = seconds_of(*s.reset);
  for (auto const w : {window::minute, window::hour, window::day}) {
    double const expected = used * seconds_of(w.length());
    if (expected > rounding / tolerance && std::abs(reset - expected) <= tolerance * expected) return w;
  }
  return std::nullopt;
}

}  // namespace

bool unnamed_window::observe(const limit_snapshot& s) {
  auto const seen = window_of(s);
  if (!seen) return false;
  times_ = std::exchange(told_, *seen) == *seen ? times_ + 1 : 1;
  return times_ >= enough && std::exchange(over_, *seen) != *seen;
}

}  // namespace cooldown
