// Delays as providers write them in rate-limit and Retry-After headers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cooldown/time.hpp"

namespace cooldown {

/// Reads a delay from `now`: seconds with a fraction ("45.5", "33011.382867097855"), Go durations ("6m0s", "1m26.4s",
/// "825ms", "5h"), seconds or milliseconds since the epoch (>= 1e9, >= 1e12), RFC 3339 and HTTP dates. Past times are
/// zero. nullopt for anything else: negative, empty, NaN, infinite, more than a year away. Precise to the nanosecond,
/// rounded up.
std::optional<duration> parse_delay(std::string_view text, wall_time now);

/// The delay in words for people: "2 minutes 5 seconds", rounded up to a second; "less than a second" for zero.
std::string delay_in_words(duration d);

/// Seconds with three decimals, rounded up: "0.250".
std::string decimal_seconds(duration d);

/// Sun, 06 Nov 1994 08:49:37 GMT: the one form that senders may generate (RFC 9110 §5.6.7).
std::optional<wall_time> parse_http_date(std::string_view text);

}  // namespace cooldown
