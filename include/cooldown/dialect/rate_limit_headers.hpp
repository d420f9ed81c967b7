// Reads the rate-limit headers of the known dialects into one snapshot; the headers present tell the dialect.
#pragma once

#include <string>
#include <variant>

#include "cooldown/dialect/header_name.hpp"
#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Over what the limits count of which headers give no window: x-ratelimit-limit-requests.
struct unnamed_windows {
  window requests = window::minute;
  window tokens = window::minute;
  window of(resource counted) const { return counted == resource::requests ? requests : tokens; }
};

struct header_rules {
  unnamed_windows unnamed{};
  const header_names* names = nullptr;  // further ones, from the configuration
};

/// Why a snapshot is incomplete.
struct rate_limit_header_error {
  bool absent = false;         // no rate-limit header at all: not an error of a provider that sends none
  std::string message;         // "missing required rate limit headers: x-ratelimit-limit-tokens-minute"
  rate_limit_snapshot rest{};  // the other headers, which remain usable
};

/// Reads the headers of all providers in docs/providers.md (header_name.hpp) and the IETF drafts (RateLimit). Names are
/// case-insensitive. An invalid value counts as absent. A negative remaining (an overdrawn limit) counts as 0, unless
/// the limit is negative too, which means "unlimited" at some providers. Of a repeated header the most conservative
/// value applies. Without a tokens-minute limit, or with neither its remaining nor its reset, the result is an error
/// that names what is missing. `now`: for dates and epochs in resets.
std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(header_view headers, wall_time now,
                                                                                    const header_rules& rules = {});

}  // namespace cooldown
