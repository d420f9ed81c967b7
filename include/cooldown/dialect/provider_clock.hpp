// The provider's wall clock, estimated from its Date headers: windows end by that clock, not by ours.
#pragma once

#include <algorithm>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// The estimate, to be kept over a restart.
struct learned_clock {
  duration ahead{};  // of our own clock
  bool told = false;
};

/// A Date is truncated to whole seconds and takes time to arrive, so the provider's clock is never behind it: the
/// latest time that any Date implies is the best estimate.
class provider_clock {
 public:
  /// A response seen at `now` has `date`. Without one, our own clock `wall` is used until a Date has been seen.
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

  /// The provider's wall clock minus our steady clock.
  duration offset() const { return offset_; }

  learned_clock save(wall_time wall, time_point now) const {
    return {.ahead = offset_ - (wall.time_since_epoch() - now.time_since_epoch()), .told = told_};
  }
  /// Invalid data is ignored; our own clock `wall` is used instead.
  void restore(const learned_clock& s, wall_time wall, time_point now) {
    bool const sane = s.told && s.ahead >= -most_ahead && s.ahead <= most_ahead;
    offset_ = wall.time_since_epoch() - now.time_since_epoch() + (sane ? s.ahead : duration::zero());
    told_ = sane;
  }

  /// The provider's time at `now`.
  wall_time at(time_point now) const { return wall_time{now.time_since_epoch() + offset_}; }

 private:
  static constexpr duration most_ahead =
      std::chrono::hours{24} * 3'660;  // our own clock starts at 1970 on some machines

  duration offset_{};
  bool told_ = false;
};

}  // namespace cooldown
