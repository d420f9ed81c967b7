// Rate-limit response fields of the known dialects, told apart by what arrives, as one snapshot.
#pragma once

#include <string>
#include <variant>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Over what the limits count of which headers give no window: x-ratelimit-limit-requests.
struct unnamed_windows {
  window requests = window::minute;
  window tokens = window::minute;
};

/// Why a snapshot is not whole.
struct rate_limit_header_error {
  bool absent = false;         // no rate-limit header at all: nothing to complain of at a provider that sends none
  std::string message;         // "missing required rate limit headers: x-ratelimit-limit-tokens-minute"
  rate_limit_snapshot rest{};  // what the other headers say: one that is missing or unusable takes nothing from them
};

/// Reads the fields of Cerebras and OpenAI, Groq and Mistral (x-ratelimit-*), Anthropic and the IETF drafts
/// (RateLimit). Names are case-insensitive; an invalid value counts as absent; a negative remaining is an overdrawn
/// limit and counts as 0, unless the limit is negative too, which is how some say "unlimited"; of a repeated header the
/// most careful value holds. Without a tokens-minute limit, or with neither its remaining nor its reset: an error that
/// names what is missing. `now` is for dates and epochs in reset fields.
std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(
    header_view headers, wall_time now, const unnamed_windows& unnamed = {});

}  // namespace cooldown
