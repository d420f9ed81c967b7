// When a waiting client of an event stream gets comments, which keep it from timing out.
#pragma once

#include <algorithm>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// Between two comments.
constexpr duration comment_interval = std::chrono::seconds{15};

/// For clients whose timeout is unknown. The shortest timeout found that no header announces is 120 s (qwen-code);
/// Node's and Bun's are 300 s. As late as that allows, because clients do not retry a request that fails after a
/// comment.
constexpr duration before_unknown_timeouts = std::chrono::seconds{100};

/// Whether comments, the first after `first`, can outlast the client's own timeout.
constexpr bool keep_patient(duration first, duration timeout) {
  return std::max(first, comment_interval) < timeout;
}

/// When the first comment is due, if the client decides: in time before its timeout, if comments can outlast that.
constexpr std::optional<duration> first_comment_by(std::optional<duration> timeout) {
  if (!timeout) return before_unknown_timeouts;
  auto const first = std::min(before_unknown_timeouts, *timeout / 4 * 3);
  return keep_patient(first, *timeout) ? std::optional(first) : std::nullopt;
}

}  // namespace cooldown
