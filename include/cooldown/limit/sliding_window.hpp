// The static fallback: how much was sent within the last window, in O(1) memory.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cooldown/limit/learned_limit.hpp"
#include "cooldown/limit/outlook.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Counts amounts over a sliding window in 60 slots. It never counts too little: an amount expires with the end of its
/// slot, at most a sixtieth of the window late. Time must not run backwards between calls.
class sliding_window {
 public:
  sliding_window(double limit, duration length) : limit_(limit), slot_length_(length / slots) {}

  void set_limit(double limit) { limit_ = limit; }
  double limit() const { return limit_; }

  /// The amount recorded within the window that ends at `now`.
  double used(time_point now);

  /// Earliest time at which `n` more fit; an `n` above the whole limit fits when nothing else is counted.
  time_point ready_at(double n, time_point now);

  /// A copy for forecasts.
  outlook ahead(time_point now);

  void record(double n, time_point now);

  /// Gives back `n` of what was recorded at `then` (negative: adds). No effect if that has expired.
  void give_back(double n, time_point then, time_point now);

  /// The amounts counted, oldest first.
  std::vector<spent_part> parts(time_point now);
  /// Replaces the amounts by those as of `saved`; invalid data is ignored.
  void restore(const std::vector<spent_part>& parts, time_point saved);

 private:
  static constexpr int slots = 60;
  std::int64_t slot_at(time_point t) const { return t.time_since_epoch().count() / slot_length_.count(); }
  void advance(time_point now);

  double limit_;
  duration slot_length_;
  std::int64_t current_ = INT64_MIN;
  double total_ = 0;
  std::array<double, slots + 1>
      amounts_{};  // by slot number modulo size; one more than the window, for the partial slot
};

}  // namespace cooldown
