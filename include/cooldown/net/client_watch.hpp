// Notices that a client leaves while nothing is read from it. A FIN counts as leaving (docs/decisions/005).
#pragma once

#include <memory>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

class tls_stream;

/// From arm() to rest(), the client's departure fires the interrupt. Bytes that arrive belong to the next request: they
/// stay in the socket. An end that comes behind them is seen with the next look for it, half a second later at most.
class client_watch final : private deadline_sweep::entry {
 public:
  /// `tls` is what is spoken on the client's socket; null: plain text.
  client_watch(tls_stream* tls, deadline_sweep& sweep, interrupt& to);
  ~client_watch() override;
  client_watch(const client_watch&) = delete;
  client_watch& operator=(const client_watch&) = delete;

  void arm();
  void rest() { clear(); }

  /// The client goes on in plain text. Before the first arm().
  void drop_tls();

 private:
  struct shared;
  void watch();
  void seen(bool gone);
  void expired() override;

  tls_stream* tls_;
  interrupt& to_;
  std::shared_ptr<shared> state_;  // outlives us by the completion of a cancelled wait
};

/// True if nothing at all waits to be read and the connection stands: the only state in which an idle one can be used.
bool idle_and_alive(tcp_socket& socket);

}  // namespace cooldown::net
