#include "cooldown/exchange/retry.hpp"

#include <algorithm>

namespace cooldown {
namespace {

constexpr duration first_pause = std::chrono::milliseconds{250};
constexpr duration longest_pause = std::chrono::seconds{5};
// A server that asks for more than this is not waited for: the client should know.
constexpr duration longest_retry_after = std::chrono::seconds{10};
// Whoever wants no repeats gets one only where it is all but sure that nobody saw the request: a connection that has
// been used just now was there just now.
constexpr duration certainly_rested = std::chrono::milliseconds{100};

bool idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE";
}

}  // namespace

std::optional<duration> retry_pause(const attempt_facts& f) {
  if (f.response_started || f.certificate) return std::nullopt;
  bool const repeatable = f.metered || idempotent(f.method);
  if (f.stale) {
    bool const met_nobody = f.allowed > 0 || !f.metered || f.rested >= certainly_rested;
    return repeatable && met_nobody ? std::optional(duration::zero()) : std::nullopt;
  }
  if (f.repeats >= f.allowed) return std::nullopt;
  if (f.status != 0) {
    if (!f.metered || (f.status != 502 && f.status != 503 && f.status != 504)) return std::nullopt;
    if (f.retry_after.value_or(duration::zero()) > longest_retry_after) return std::nullopt;
  } else if (f.sent && !repeatable) {
    return std::nullopt;
  }
  auto const pause = std::min(longest_pause, first_pause * (1U << std::min(f.repeats * 2, 10U)));
  return std::max(pause, f.retry_after.value_or(duration::zero()));
}

}  // namespace cooldown
