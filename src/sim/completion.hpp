// The metered requests.
#pragma once

#include "cooldown/sim/api_request.hpp"
#include "cooldown/sim/exchange.hpp"

namespace cooldown::sim {

/// Admits and generates, refuses, or fails as it is told to. All arguments outlive the coroutine.
asio::awaitable<next_step> complete(connection& client, simulation& world, const http_request& request, endpoint kind);

}  // namespace cooldown::sim
