// Where tests of the limiter begin: at one moment of both clocks, with one model and one key.
#pragma once

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {

inline constexpr time_point start{std::chrono::hours{1000}};
inline constexpr wall_time wall{std::chrono::hours{490'000}};
inline constexpr scope_name scope{1, "m"};

}  // namespace cooldown
