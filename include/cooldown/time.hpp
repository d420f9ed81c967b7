// The two kinds of time. Code below src/net never reads a clock: both are arguments.
#pragma once

#include <chrono>

namespace cooldown {

using duration = std::chrono::nanoseconds;

/// Monotonic, and advances while the machine is suspended (CLOCK_BOOTTIME), unlike std::chrono::steady_clock: quotas
/// refill during a laptop's sleep, too. now() is defined in net/clock.cpp.
struct boot_clock {
  using duration = cooldown::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<boot_clock, duration>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};

/// For everything that is measured or waited for. A jump of the wall clock does not affect it.
using time_point = boot_clock::time_point;

/// The wall clock: only to interpret dates and epochs that a provider sends, and to show times to people.
using wall_time = std::chrono::time_point<std::chrono::system_clock, duration>;

constexpr double seconds_of(duration d) {
  return std::chrono::duration<double>(d).count();
}

/// Rounded up to a whole nanosecond, so that nothing wakes early; at most a year, to avoid overflow.
constexpr duration duration_of_seconds(double s) {
  constexpr double year = 366.0 * 86400;
  if (!(s > 0)) return duration::zero();
  if (s > year) s = year;
  auto const ns = static_cast<duration::rep>(s * 1e9);
  return duration{static_cast<double>(ns) < s * 1e9 ? ns + 1 : ns};
}

/// Whole seconds, rounded up: what Retry-After carries (RFC 9110 §10.2.3).
constexpr std::chrono::seconds ceil_seconds(duration d) {
  return std::chrono::ceil<std::chrono::seconds>(d);
}

}  // namespace cooldown
