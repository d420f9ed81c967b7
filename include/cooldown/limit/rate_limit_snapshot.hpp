// Resources and windows of limits, and what the headers of one response say about them.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// What a limit counts. If a provider keeps two buckets of tokens, `tokens` are the uncached ones, the main limit, and
/// `total_tokens` includes cached input.
enum class resource : std::uint8_t { requests, tokens, total_tokens };

/// The period of a limit.
enum class window : std::uint8_t { minute, hour, day };

constexpr duration length_of(window w) {
  switch (w) {
    case window::minute:
      return std::chrono::minutes{1};
    case window::hour:
      return std::chrono::hours{1};
    case window::day:
      return std::chrono::hours{24};
  }
  return std::chrono::minutes{1};
}

const char* name_of(resource r);
const char* name_of(window w);

/// Index of a (resource, window) pair in arrays of nine: requests minute, hour, day, tokens minute, hour, day, total …
constexpr std::size_t slot_of(resource r, window w) {
  return static_cast<std::size_t>(r) * 3 + static_cast<std::size_t>(w);
}
constexpr std::size_t slot_count = 9;
constexpr resource resource_of(std::size_t slot) {
  return static_cast<resource>(slot / 3);
}
constexpr window window_of(std::size_t slot) {
  return static_cast<window>(slot % 3);
}

/// One limit as the headers of a response show it: after this request's reservation and before its refund.
struct limit_snapshot {
  std::optional<std::uint64_t> limit;
  std::optional<std::uint64_t> remaining;  // may exceed the limit if the provider mixes two buckets
  std::optional<duration> reset;           // counted from when the provider wrote the headers
  bool any() const { return limit || remaining || reset; }
};

struct rate_limit_snapshot {
  std::array<limit_snapshot, slot_count> limits;
  std::bitset<slot_count> unnamed{};  // those of which the headers do not say over what they count
  limit_snapshot& at(resource r, window w) { return limits[slot_of(r, w)]; }
  const limit_snapshot& at(resource r, window w) const { return limits[slot_of(r, w)]; }
};

}  // namespace cooldown
