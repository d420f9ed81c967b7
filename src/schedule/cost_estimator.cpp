#include "cooldown/schedule/cost_estimator.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {

namespace {

// More than any request can cost. Sums of doubles lose small parts beside absurd ones.
constexpr double most_tokens = 1e9;

}  // namespace

double cost_estimator::estimate(const request_size& size, bool careful, time_point now) const {
  auto const tokens = std::ceil(input_.tokens(size) + output_.tokens(size, careful, now));
  return std::clamp(tokens, 1.0, most_tokens);
}

void cost_estimator::observe_use(double reserved, double actual) {
  if (!(reserved > 0)) return;
  // The first observations count for more, so that five of them are an estimate.
  ++uses_;
  use_share_ += std::max(0.1, 1 / static_cast<double>(uses_)) * (std::clamp(actual / reserved, 0.0, 2.0) - use_share_);
}

}  // namespace cooldown
