// How long a client says it will wait for its answer.
#pragma once

#include <optional>

#include "cooldown/text/header_view.hpp"
#include "cooldown/time.hpp"

namespace cooldown::http {

/// wait=N of the Prefer fields (RFC 7240 §4.3).
std::optional<duration> wait_preference(header_view fields);

/// The client's own timeout, as SDKs made by Stainless (OpenAI's and Cerebras's among them) tell it:
/// X-Stainless-Timeout counts until the head of the answer, X-Stainless-Read-Timeout is the longest silence. Both are
/// seconds, whole ones cut off in JavaScript. The shorter one of the two; nullopt when neither is a positive number.
std::optional<duration> client_timeout(header_view fields);

}  // namespace cooldown::http
