// Notices that a client disconnects while nothing is read from it. A FIN counts as a disconnect (docs/decisions/005).
#pragma once

#include <memory>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

class tls_stream;

/// From arm() to rest(), a disconnect of the client fires the interrupt. Bytes that arrive belong to the next request
/// and stay in the socket. A disconnect after such bytes is noticed at most half a second later.
class client_watch final : private deadline_sweep::entry {
 public:
  /// `tls`: the TLS stream of the client's socket; null: plain text.
  client_watch(tls_stream* tls, deadline_sweep& sweep, interrupt& to);
  ~client_watch() override;
  client_watch(const client_watch&) = delete;
  client_watch& operator=(const client_watch&) = delete;

  void arm();
  void rest() { clear(); }

  /// The client continues in plain text. To be called before the first arm().
  void drop_tls();

 private:
  struct shared;
  void watch();
  void seen(bool gone);
  void expired() override;

  tls_stream* tls_;
  interrupt& to_;
  std::shared_ptr<shared> state_;  // outlives us until a cancelled wait completes
};

/// True if the connection is open and nothing is waiting to be read: only then may an idle connection be used.
bool idle_and_alive(tcp_socket& socket);

}  // namespace cooldown::net
