// How long a body that is read whole may take to arrive.
#pragma once

#include <algorithm>
#include <cstddef>

#include "cooldown/time.hpp"

namespace cooldown {

/// Bytes per second. A peer that sends more slowly uses up the pause that a body is allowed, so that a trickle ends as
/// soon as silence would. Slower than any line that carries a prompt: a telephone modem of 56 kbit/s does 7 KiB/s.
constexpr std::size_t slowest_body = 4 * 1024;

/// The time that these bytes of a body earn.
constexpr duration time_for(std::size_t bytes) {
  return std::chrono::duration_cast<duration>(std::chrono::microseconds{bytes * 1'000'000 / slowest_body});
}

/// The part of the allowed pause that the peer has used up: the time waited, minus the time that its bytes have earned.
class body_pace {
 public:
  duration left(duration most) const { return std::max(duration::zero(), most - used_); }
  void waited(duration d) { used_ += d; }
  void moved(std::size_t bytes) { used_ = std::max(duration::zero(), used_ - time_for(bytes)); }

 private:
  duration used_{};
};

}  // namespace cooldown
