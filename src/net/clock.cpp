// Alone in its file, so that a test's own definition takes its place.
#include <ctime>

#include "cooldown/time.hpp"

namespace cooldown {

boot_clock::time_point boot_clock::now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return time_point{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

}  // namespace cooldown
