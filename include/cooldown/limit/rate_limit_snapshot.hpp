// What the headers of one response say about limits.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/limit/limit_id.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Headers older than this are ignored, and after a silence this long a probe is due.
constexpr duration snapshot_lifetime = std::chrono::minutes{5};

/// One limit as the headers of a response show it: after this request's reservation and before its refund.
struct limit_snapshot {
  std::optional<std::uint64_t> limit;
  std::optional<std::uint64_t> remaining;  // may exceed the limit if the provider mixes two buckets
  std::optional<duration> reset;           // counted from when the provider wrote the headers
  bool unnamed = false;                    // the headers do not say over what it counts
  bool any() const { return limit || remaining || reset; }
};

struct rate_limit_snapshot {
  per_limit<limit_snapshot> limits;
  /// What is shown of this limit; nothing if it is not mentioned.
  limit_snapshot at(limit_id id) const {
    auto const* const found = limits.find(id);
    return found ? *found : limit_snapshot{};
  }
  limit_snapshot at(resource r, window w) const { return at({r, w}); }
};

}  // namespace cooldown
