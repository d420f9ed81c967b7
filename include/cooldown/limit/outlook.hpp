// One limit as it is expected to go on: a small copy of it to run ahead on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "cooldown/limit/headroom.hpp"
#include "cooldown/limit/refill.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Of the tokens that are saved for others, so many can be left in a limit when `cost` goes. Only a bucket can be saved
/// in: what is left of a window is lost at its end. And a bucket is never quite full.
inline double most_saved(refill model, double capacity, double cost, double saved) {
  constexpr double savable = 0.9;
  return model == refill::continuous ? std::clamp(savable * capacity - cost, 0.0, std::max(0.0, saved)) : 0;
}

/// Moves as the limit would, in its own time, which only goes forward. Of what is reserved, all is taken at first; what
/// was not used of it is given back when the answer ends.
class outlook {
 public:
  struct present {
    refill model = refill::continuous;
    double level = 0;
    double capacity = 0;
    double rate = 0;  // units per second: of a bucket, or what leaves a log on the average
    headroom kept{};
    duration window{};
    time_point window_end{};  // of a window: when everything is there again
    time_point window_start{};
    double used_part = 1;  // of the tokens that a request uses, so much is taken of this limit
  };

  outlook(const present& p, time_point now) : is_(p), at_(now) {}

  /// Of a sliding log: `n` comes back at `when`. Negative: what would come back will be so much less.
  void comes_back(double n, time_point when);

  /// The earliest time at which `n` fit if nothing else happens. Not before now.
  time_point ready_at(double n) const;

  void advance(time_point t);
  void take(double n);

  /// Of what was taken at `taken`, `n` was not used. Nothing where the window is over that it was taken from.
  void give_back(double n, time_point taken);

  /// How long the limit needs to bring `n`, of which it has `there` already.
  duration time_for(double n, double there) const;

  double level() const { return is_.level; }
  double capacity() const { return is_.capacity; }
  double rate() const { return is_.rate; }

  /// Of the tokens that are saved for others, so many can be left when `cost` goes.
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
  std::vector<coming> coming_;  // of a sliding log, by time
  std::size_t next_ = 0;        // the first that has not come yet
};

}  // namespace cooldown
