// How a limit can refill.
#pragma once

#include <cstdint>

namespace cooldown {

/// How a limit refills.
enum class refill : std::uint8_t {
  continuous,  // at the rate limit / window, up to the limit
  window,      // all at once, at the end of each window
  sliding,     // what was taken comes back one window later
};

const char* name_of(refill r);

}  // namespace cooldown
