// The rate-limit headers of the IETF drafts (draft-ietf-httpapi-ratelimit-headers), old and new.
#pragma once

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

/// RateLimit and RateLimit-Policy, of which units are requests unless `qu` or the policy's name says tokens; and their
/// older forms, RateLimit-Limit, -Remaining and -Reset, and `RateLimit: limit=…, remaining=…, reset=…`. Policies of
/// bytes, of requests in progress, and over other windows than a minute, an hour or a day are left out. Of several
/// about one limit the most careful values hold, and what `out` has already is not touched.
void read_ietf_headers(header_view headers, rate_limit_snapshot& out);

}  // namespace cooldown
