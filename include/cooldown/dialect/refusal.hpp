// Classifies the provider's 429s.
#pragma once

#include <optional>
#include <string_view>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

struct refusal {
  enum class kind : std::uint8_t {
    quota,      // a limit is used up: waiting cures it
    load,       // the provider is busy, or its concurrency limit is reached: a short pause cures it
    too_large,  // the request is larger than a whole limit: no wait cures it
    incurable,  // payment, spending limits, x-should-retry: false without a time to retry: pass it on
  };
  kind what = kind::quota;
  std::optional<resource> counts;  // which limit, if the provider says so
  std::optional<window> over;
  bool burst = false;                   // a per-second limit
  std::optional<std::uint64_t> limit;   // the limit's value, if the text says so; of load: requests at once
  bool fits = false;                    // the text says that the request is no larger than the limit
  std::optional<duration> retry_after;  // from headers, else from the body
};

/// The error fields of a 429's body, whatever its shape; empty where absent.
struct error_fields {
  std::string_view message;
  std::string_view type;
  std::string_view code;
  std::string_view wait{};  // a delay in a separate member: "37s"
};

/// Classifies a 429 by its code, then its type, then by a limit that its text names. A word like "billing" decides only
/// if nothing names a limit, a time to retry or an exhausted budget, because many refusals that waiting cures advise to
/// pay, and not if it stands within the name of the `model` (empty: unknown) or in a quotation. An unknown 429 counts
/// as load: a short pause does the least harm.
refusal classify_refusal(const error_fields& body, header_view headers, wall_time now, std::string_view model = {});

/// retry-after-ms, else Retry-After in seconds or as a date.
std::optional<duration> retry_after_of(header_view headers, wall_time now);

}  // namespace cooldown
