// What is left unspent of a limit when a request goes: rounding, clocks, and a margin after refusals.
#pragma once

#include <algorithm>

namespace cooldown {

struct headroom {
  double rounding = 0;     // where tokens are counted: remainders are shown in whole units
  double margin = 0;       // after refusals that nothing explains
  double clocks_part = 0;  // of the cost, at least and at most so much of the limit
  double least_clocks = 0;
  double most_clocks = 0;

  // What costs less is counted in requests, or as good as.
  static constexpr double fewest_tokens = 100;

  /// For a cost of `n`, of a limit that holds `capacity` at most.
  double of(double n, double capacity) const {
    double const kept = margin + (n < fewest_tokens ? 0 : rounding);
    return std::min(std::max(0.0, capacity - n), kept) + std::clamp(n * clocks_part, least_clocks, most_clocks);
  }
};

}  // namespace cooldown
