// What a provider means by a 429.
#pragma once

#include <optional>
#include <string_view>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

struct refusal {
  enum class kind : std::uint8_t {
    quota,      // a limit is used up: waiting cures it
    load,       // the provider is busy: a short pause cures it
    incurable,  // payment, spending limits, x-should-retry: false unless for load: pass it on at once
  };
  kind what = kind::quota;
  std::optional<resource> counts;  // which limit, where the provider says so
  std::optional<window> over;
  bool burst = false;                   // a per-second limit
  std::optional<duration> retry_after;  // the provider's word, from retry-after-ms or Retry-After
};

/// The error fields of a 429's body, flat or in OpenAI's wrapper; empty where absent.
struct error_fields {
  std::string_view message;
  std::string_view type;
  std::string_view code;
};

/// Classifies a 429: by its code, then its type, then by a limit that its text names. A text alone decides only where
/// nothing names a limit, a time to retry or an exhausted budget. What is still unknown counts as load: a short pause
/// is the least harm.
refusal classify_refusal(const error_fields& body, header_view headers, wall_time now);

/// retry-after-ms, else Retry-After in seconds or as a date.
std::optional<duration> retry_after_of(header_view headers, wall_time now);

}  // namespace cooldown
