// Pages that the proxy itself serves: /health on the main port, the rest on the admin port.
#pragma once

#include "cooldown/net/app.hpp"
#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// The answer to a request for one of these pages (docs/api.md).
local_reply local_answer(app& shared, const request& r, role serves);

}  // namespace cooldown::net
