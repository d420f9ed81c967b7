#include "cooldown/core/retry.hpp"

#include <algorithm>

namespace cooldown {
namespace {

constexpr duration first_pause = std::chrono::milliseconds{250};
constexpr duration longest_pause = std::chrono::seconds{5};
// A server that asks for more than this is not waited for: the client should know.
constexpr duration longest_retry_after = std::chrono::seconds{10};

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

}  // namespace

std::optional<duration> retry_pause(const attempt_facts& f) {
  if (f.response_started || f.certificate || f.repeats >= f.allowed) return std::nullopt;
  if (f.status != 0) {
    if (!f.metered || (f.status != 502 && f.status != 503 && f.status != 504)) return std::nullopt;
    if (f.retry_after.value_or(duration::zero()) > longest_retry_after) return std::nullopt;
  } else if (f.sent && !f.metered && !idempotent(f.method)) {
    return std::nullopt;
  }
  auto const pause = std::min(longest_pause, first_pause * (1U << std::min(f.repeats * 2, 10U)));
  return std::max(pause, f.retry_after.value_or(duration::zero()));
}

}  // namespace cooldown
