// A monotonic clock that stands still until it is told to move, for Asio's timers and the proxy's own: a session of
// minutes takes no time, and every run of an input is the same.
#pragma once

#include <chrono>

namespace cooldown::fuzz {

void advance_clock(std::chrono::nanoseconds by);

}  // namespace cooldown::fuzz
