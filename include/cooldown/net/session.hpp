// A connection is a coroutine: it reads requests and sees each through, until one side has had enough.
#pragma once

#include "cooldown/net/client_connection.hpp"

namespace cooldown::net {

/// Owns the socket until it returns. Never throws for anything a peer does. With a server the client is to speak TLS.
task<void> run_session(tcp_socket socket, app& shared, role serves, std::shared_ptr<tls_server> with = nullptr);

}  // namespace cooldown::net
