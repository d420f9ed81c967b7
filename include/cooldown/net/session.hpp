// A connection is a coroutine: it reads requests and sees each through, until one side has had enough.
#pragma once

#include "cooldown/net/client_connection.hpp"

namespace cooldown::net {

/// Owns the socket until it returns. Never throws for anything a peer does.
task<void> run_session(tcp_socket socket, app& shared, role serves);

/// The same on the main port over TLS. A coroutine of its own, so that plain connections are no larger for it.
task<void> run_tls_session(tcp_socket socket, app& shared, std::shared_ptr<tls_server> server);

}  // namespace cooldown::net
