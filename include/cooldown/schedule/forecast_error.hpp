// How far waits have been off their forecasts: what tells how much of a forecast is certain.
#pragma once

#include <algorithm>
#include <cmath>

#include "cooldown/time.hpp"

namespace cooldown {

/// Of actual / forecast, what nine of ten waits have exceeded lately: a quantile, moved a little by every wait that
/// ends.
class forecast_error {
 public:
  void observe(duration forecast, duration actual) {
    if (std::max(forecast, actual) < least_telling) return;
    double const off = std::log(std::max(seconds_of(actual), least) / std::max(seconds_of(forecast), least));
    log_ += off > log_ ? step * exceeded_by_all_but : -step * (1 - exceeded_by_all_but);
    log_ = std::clamp(log_, -most, 0.0);
  }

  /// Nine of ten that were to wait so long waited at least this.
  duration at_least(duration forecast) const { return duration_of_seconds(seconds_of(forecast) * std::exp(log_)); }

 private:
  static constexpr double exceeded_by_all_but = 0.1;
  static constexpr double step = 0.1;    // some dozens of waits make it up
  static constexpr double most = 5;      // beyond, nothing is certain anyway
  static constexpr double least = 0.05;  // seconds: beside travel times, less is nothing
  static constexpr duration least_telling = std::chrono::milliseconds{500};

  double log_ = 0;  // natural
};

}  // namespace cooldown
