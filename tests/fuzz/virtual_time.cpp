#include "virtual_time.hpp"

#include <atomic>
#include <cerrno>

#include "cooldown/time.hpp"

namespace cooldown::fuzz {
namespace {

// Far ahead of the real clock: whatever another thread (the log's) waits for by it is not due at once over and over.
std::atomic<std::int64_t> nanoseconds_now{1'000'000'000'000'000'000};

}  // namespace

void advance_clock(std::chrono::nanoseconds by) {
  nanoseconds_now += by.count();
}

}  // namespace cooldown::fuzz

// In the place of net/clock.cpp's.
cooldown::boot_clock::time_point cooldown::boot_clock::now() noexcept {
  return time_point{std::chrono::nanoseconds{fuzz::nanoseconds_now.load()}};
}

// The kernel's timers follow the real clock. Without them Asio asks ours each time it polls.
extern "C" int timerfd_create(int, int) noexcept {
  errno = ENOSYS;
  return -1;
}
