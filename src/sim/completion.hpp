// The metered requests.
#pragma once

#include "cooldown/sim/api_request.hpp"
#include "cooldown/sim/exchange.hpp"

namespace cooldown::sim {

/// Admits a request and generates its answer, refuses it, or fails on demand. All arguments outlive the coroutine.
asio::awaitable<next_step> complete(connection& client, simulation& world, const http_request& request, endpoint kind);

}  // namespace cooldown::sim
