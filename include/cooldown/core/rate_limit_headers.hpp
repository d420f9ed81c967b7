// Rate-limit response fields of the known dialects, told apart by what arrives, as one snapshot.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "cooldown/core/header_view.hpp"
#include "cooldown/core/time.hpp"

namespace cooldown {

/// What a limit counts. Where a provider keeps two buckets of tokens, `tokens` are the uncached ones, the main limit,
/// and `total_tokens` counts cached input as well.
enum class resource : std::uint8_t { requests, tokens, total_tokens };

/// What a limit is counted over.
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

/// One limit as a response states it. The provider takes the values after this request's reservation and before its
/// refund.
struct limit_snapshot {
  std::optional<std::uint64_t> limit;
  std::optional<std::uint64_t> remaining;  // may exceed the limit where the provider mixes two buckets
  std::optional<duration> reset;           // from the moment the fields were made
  bool any() const { return limit || remaining || reset; }
};

struct rate_limit_snapshot {
  std::array<limit_snapshot, slot_count> limits;
  limit_snapshot& at(resource r, window w) { return limits[slot_of(r, w)]; }
  const limit_snapshot& at(resource r, window w) const { return limits[slot_of(r, w)]; }
};

/// Why a snapshot is not whole.
struct rate_limit_header_error {
  bool absent = false;         // no rate-limit header at all: nothing to complain of at a provider that sends none
  std::string message;         // "missing required rate limit headers: x-ratelimit-limit-tokens-minute"
  rate_limit_snapshot rest{};  // what the other headers say: one that is missing or unusable takes nothing from them
};

/// Reads the fields of Cerebras and OpenAI, Groq and Mistral (x-ratelimit-*), Anthropic and the IETF draft (RateLimit).
/// Names are case-insensitive; an invalid value counts as absent; a negative remaining is an overdrawn limit and counts
/// as 0, unless the limit is negative too, which is how some say "unlimited"; of a repeated header the most careful
/// value holds. Without a tokens-minute limit, or with neither its remaining nor its reset: an error that names what is
/// missing. `now` is for dates and epochs in reset fields.
std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(header_view headers, wall_time now);

}  // namespace cooldown
