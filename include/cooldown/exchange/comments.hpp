// When a client that waits for an event stream gets comments, which keep it patient.
#pragma once

#include <algorithm>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// Between two comments.
constexpr duration comment_interval = std::chrono::seconds{15};

/// Clients whose timeout is not known: the shortest that was met and is not told in a header is 120 s (qwen-code),
/// Node's and Bun's are 300 s. As late as that allows, because clients do not repeat what fails after a comment.
constexpr duration before_unknown_timeouts = std::chrono::seconds{100};

/// Whether comments, the first after `first`, keep a client waiting beyond its own timeout.
constexpr bool keep_patient(duration first, duration timeout) {
  return std::max(first, comment_interval) < timeout;
}

/// When the first one is due, if the client decides: in time before its timeout, if comments can outlast that.
constexpr std::optional<duration> first_comment_by(std::optional<duration> timeout) {
  if (!timeout) return before_unknown_timeouts;
  auto const first = std::min(before_unknown_timeouts, *timeout / 4 * 3);
  return keep_patient(first, *timeout) ? std::optional(first) : std::nullopt;
}

}  // namespace cooldown
