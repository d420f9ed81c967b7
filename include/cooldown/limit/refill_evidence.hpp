// Estimates a limit's refill rate from headers, by least squares.
#pragma once

#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// Fits remaining + spent = a + e * spent + r * time over the recent past. r is the refill rate per second while the
/// limit is below its capacity; e is the error of the costs, which would otherwise look like refill.
class refill_evidence {
 public:
  /// Samples lose weight with this time constant.
  explicit refill_evidence(duration memory) : memory_(memory) {}

  /// Forgets all samples. To be called when the level jumps or was full: the past then says nothing about the future.
  void clear() { *this = refill_evidence(memory_); }

  /// A header of a request sent at `at` showed `remaining`, when `spent` units had been spent since any fixed moment.
  /// Both may be off by about `doubt` (> 0; one standard deviation).
  void add(double spent, double remaining, time_point at, double doubt);

  struct estimate {
    double rate;   // units per second
    double error;  // its standard deviation
  };
  /// nullopt: not enough samples.
  std::optional<estimate> rate() const;

 private:
  duration memory_;
  unsigned samples_ = 0;
  double seen_ = 0;    // samples, faded
  double weight_ = 0;  // sum of the samples' weights, and of their squares
  double squares_ = 0;
  time_point origin_{};
  time_point last_{};
  double mean_t_ = 0, mean_s_ = 0, mean_z_ = 0;                 // time, spent, remaining + spent
  double tt_ = 0, ss_ = 0, zz_ = 0, ts_ = 0, tz_ = 0, sz_ = 0;  // weighted sums of products of deviations
};

}  // namespace cooldown
