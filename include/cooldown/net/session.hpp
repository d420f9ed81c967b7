// A client's connection is a coroutine that reads requests and handles them one after another until one side closes.
#pragma once

#include "cooldown/net/app.hpp"
#include "cooldown/net/client_connection.hpp"

namespace cooldown::net {

/// Owns the socket until it returns. Never throws because of a peer. `with`: the client has to speak TLS; null: plain
/// HTTP.
task<void> run_session(tcp_socket socket, app& shared, role serves, std::shared_ptr<tls_server> with = nullptr);

}  // namespace cooldown::net
