// The provider's wall clock, as far as its Date fields tell: windows end by it, not by ours.
#pragma once

#include <algorithm>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// A Date is cut to whole seconds and is on its way for a while, so the provider's clock is never behind what it says:
/// the latest that any of them implies is nearest to it.
class provider_clock {
 public:
  /// A response seen at `now` has `date`, or none; then `wall`, our own clock, is all there is.
  void observe(std::optional<wall_time> date, wall_time wall, time_point now) {
    auto const implied = date.value_or(wall).time_since_epoch() - now.time_since_epoch();
    if (!date) {
      if (!told_) offset_ = implied;
      return;
    }
    // Further back than rounding and travel explain: it has been set.
    bool const was_set = told_ && implied + std::chrono::seconds{5} < offset_;
    offset_ = told_ && !was_set ? std::max(offset_, implied) : implied;
    told_ = true;
  }

  /// The provider's wall clock minus the steady one.
  duration offset() const { return offset_; }

  /// What it shows at `now`.
  wall_time at(time_point now) const { return wall_time{now.time_since_epoch() + offset_}; }

 private:
  duration offset_{};
  bool told_ = false;
};

}  // namespace cooldown
