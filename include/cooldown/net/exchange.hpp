// One request of a client, from its complete reading to the end of its answer.
#pragma once

#include "cooldown/net/client_connection.hpp"
#include "cooldown/net/request.hpp"
#include "cooldown/net/upstreams.hpp"

namespace cooldown::net {

/// Queues the request if it is metered, sends it to the provider (again, if the rules allow), relays the answer,
/// settles, and writes the access line. Returns true if the client's connection can carry another request.
task<bool> run_exchange(client_connection& c, request& r, upstreams& to);

}  // namespace cooldown::net
