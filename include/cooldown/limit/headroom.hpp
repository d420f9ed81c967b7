// What stays unspent of a limit when a request is sent: for rounding, for clocks, and as a margin after refusals.
#pragma once

#include <algorithm>

namespace cooldown {

struct headroom {
  double rounding = 0;     // token limits only: headers round to whole units
  double margin = 0;       // after unexplained refusals
  double clocks_part = 0;  // part of the cost, kept for differences of clocks; bounded by the next two, in units
  double least_clocks = 0;
  double most_clocks = 0;

  // Smaller costs are those of a limit that counts requests, or so few tokens that rounding does not matter.
  static constexpr double fewest_tokens = 100;

  /// Units to keep beside a cost of `n`, in a limit whose highest level is `capacity`.
  double of(double n, double capacity) const {
    double const kept = margin + (n < fewest_tokens ? 0 : rounding);
    return std::min(std::max(0.0, capacity - n), kept) + std::clamp(n * clocks_part, least_clocks, most_clocks);
  }
};

}  // namespace cooldown
