// The expected course of one limit: a small copy of it for forecasts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cooldown/limit/headroom.hpp"
#include "cooldown/limit/refill.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// How many of the tokens saved for other classes can stay in a limit when a request of `cost` is sent. Only a bucket
/// can hold savings, because the rest of a window is lost at its end; and a bucket is never completely full.
inline double most_saved(refill model, double capacity, double cost, double saved) {
  constexpr double savable = 0.9;
  return model == refill::continuous ? std::clamp(savable * capacity - cost, 0.0, std::max(0.0, saved)) : 0;
}

/// Simulates the limit in its own time, which only moves forward. A request first takes its whole reservation; what it
/// has not used is given back when its answer ends.
class outlook {
 public:
  struct present {
    refill model = refill::continuous;
    double level = 0;
    double capacity = 0;
    double rate = 0;  // units per second: of a bucket, or the average for a sliding log
    headroom kept{};
    duration window{};
    time_point window_end{};  // of a window: when it is full again
    time_point window_start{};
    double used_part = 1;  // the part of a request's used tokens that this limit counts
  };

  outlook(const present& p, time_point now) : is_(p), at_(now) {}

  /// Of a sliding log: `n` units come back at `when`; negative: that many fewer.
  void comes_back(double n, time_point when);

  /// The earliest time, not before now, at which `n` fit if nothing else happens.
  time_point ready_at(double n) const;

  void advance(time_point t);
  void take(double n);

  /// Gives back `n` units taken at `taken`; without effect if that was in an earlier window.
  void give_back(double n, time_point taken);

  /// Time until the limit has refilled `n`, of which it already has `there`.
  duration time_for(double n, double there) const;

  double level() const { return is_.level; }
  double capacity() const { return is_.capacity; }
  double rate() const { return is_.rate; }

  /// See the function of the same name above.
  double most_saved(double cost, double saved) const {
    return cooldown::most_saved(is_.model, is_.capacity, cost, saved);
  }

  double used_part() const { return is_.used_part; }

 private:
  struct coming {
    time_point since;
    time_point at;
    double n;
  };

  present is_;
  time_point at_;
  std::vector<coming> coming_;  // of a sliding log, ordered by time
  std::size_t next_ = 0;        // the first that has not come back yet
};

}  // namespace cooldown
