#include "cooldown/schedule/use_average.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// One observation moves an average by so much: some twenty requests make a habit.
constexpr double rate = 0.05;
// A largest use is forgotten within some hundred requests that use less.
constexpr double kept_of_largest = 0.97;
// Somebody may be charged more than was reserved, but hardly ever by more than this.
constexpr double most_share = 2;

}  // namespace

void use_average::observe(double reserved, double used) {
  if (!(reserved > 0)) return;
  used = std::clamp(used, 0.0, most_tokens);
  double const step = std::max(rate, 1.0 / ++seen_);
  if (seen_ > 1) {
    share_error_ += step * (std::min(most_tokens, std::abs(reserved * share_ - used)) - share_error_);
    mean_error_ += step * (std::abs(std::min(reserved, mean_) - used) - mean_error_);
  }
  share_ += step * (std::min(used / reserved, most_share) - share_);
  mean_ += step * (used - mean_);
  largest_ = std::max(used, largest_ * kept_of_largest);
}

double use_average::expected(double reserved) const {
  return mean_error_ < share_error_ ? std::min(reserved, mean_) : std::min(reserved * share_, most_tokens);
}

}  // namespace cooldown
