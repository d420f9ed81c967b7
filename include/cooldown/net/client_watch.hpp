// Notices that a client leaves while nothing is read from it. A FIN counts as leaving (docs/decisions/005).
#pragma once

#include <memory>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

class tls_stream;

/// From arm() on, the client's departure fires the interrupt. Bytes that arrive belong to the next request: they stay
/// in the socket, and end the watch.
class client_watch {
 public:
  /// `tls` is what is spoken on the client's socket; null: plain text.
  client_watch(tls_stream* tls, interrupt& to);
  ~client_watch();
  client_watch(const client_watch&) = delete;
  client_watch& operator=(const client_watch&) = delete;

  void arm();

  /// The client goes on in plain text. Before the first arm().
  void drop_tls();

 private:
  struct shared;
  std::shared_ptr<shared> state_;  // outlives us by the completion of a cancelled wait
};

/// True if the peer has closed or reset the connection, or anything is wrong with it. Reads nothing.
bool peer_gone(tcp_socket& socket);

/// True if nothing at all waits to be read and the connection stands: the only state in which an idle one can be used.
bool idle_and_alive(tcp_socket& socket);

}  // namespace cooldown::net
