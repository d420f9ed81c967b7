// How far waits have differed from their forecasts, which tells how much of a forecast is certain.
#pragma once

#include <algorithm>
#include <cmath>

#include "cooldown/time.hpp"

namespace cooldown {

/// The ratio actual / forecast that nine of ten recent waits have exceeded: a quantile that every finished wait moves a
/// little.
class forecast_error {
 public:
  void observe(duration forecast, duration actual) {
    if (std::max(forecast, actual) < least_telling) return;
    double const off = std::log(std::max(seconds_of(actual), least) / std::max(seconds_of(forecast), least));
    log_ += off > log_ ? step * exceeded_by_all_but : -step * (1 - exceeded_by_all_but);
    log_ = std::clamp(log_, -most, 0.0);
  }

  /// Nine of ten waits with this forecast lasted at least this long.
  duration at_least(duration forecast) const { return duration_of_seconds(seconds_of(forecast) * std::exp(log_)); }

 private:
  static constexpr double exceeded_by_all_but = 0.1;
  static constexpr double step = 0.1;    // adapts within some dozens of waits
  static constexpr double most = 5;      // bound of the logarithm
  static constexpr double least = 0.05;  // seconds; shorter times are noise
  static constexpr duration least_telling = std::chrono::milliseconds{500};

  double log_ = 0;  // natural
};

}  // namespace cooldown
