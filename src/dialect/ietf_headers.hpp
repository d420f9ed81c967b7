// The rate-limit headers of the IETF drafts (draft-ietf-httpapi-ratelimit-headers), old and new.
#pragma once

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown {

/// Reads RateLimit and RateLimit-Policy, whose units are requests unless `qu` or the policy's name says tokens, and
/// their older forms: RateLimit-Limit, -Remaining and -Reset, and `RateLimit: limit=…, remaining=…, reset=…`. Policies
/// for bytes and for concurrent requests are ignored. If several
/// are about one limit, the most conservative values apply; values already in `out` are not changed.
void read_ietf_headers(header_view headers, rate_limit_snapshot& out);

}  // namespace cooldown
