// One connection to the provider, plain or TLS.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

/// An error of this machine (no descriptors, no memory, no free port, forbidden), which says nothing about the
/// provider.
bool is_local(const error_code& ec);

class tls_client;

/// Reads and writes bytes. After any error it can only be destroyed. `in` holds bytes read and not yet consumed.
class upstream_connection {
 public:
  explicit upstream_connection(tcp_socket socket) : plain_(std::move(socket)) {}
  /// Keeps `tls` alive, because the stream points into it.
  upstream_connection(std::shared_ptr<tls_client> tls, tcp_socket socket);

  tcp_socket& socket() { return secure_ ? secure_->next_layer() : *plain_; }
  asio::ssl::stream<tcp_socket>* tls() { return secure_ ? &*secure_ : nullptr; }

  /// Writes what is possible without waiting; nothing over TLS.
  std::size_t write_at_once(std::span<const asio::const_buffer> buffers, error_code& ec);

  /// Writes some of the bytes.
  task<std::pair<error_code, std::size_t>> write_some(std::span<const asio::const_buffer> buffers);

  /// Reads at least one byte into `in`, at most `most`. At the end of the stream: asio::error::eof; a TLS stream that
  /// ends without close_notify: asio::ssl::error::stream_truncated.
  task<error_code> read_some(std::size_t most, interrupt& ctl);

  /// Shakes hands over TLS.
  task<error_code> shake_hands(interrupt& ctl);

  /// Ends the operations in progress with operation_aborted, at whatever step they are. Cancelling the socket would not
  /// do that over TLS: an operation there takes several of the socket, and one that is between two of them goes on.
  void cancel();

  /// True if the connection is open and nothing is waiting to be read, at any layer: only then may an idle connection
  /// be used. Messages of TLS itself (session tickets) are processed.
  bool quiet();

  boost::beast::flat_buffer in;
  time_point made_at = steady_now();
  time_point idle_since{};
  bool reused = false;  // has carried an earlier exchange
  bool broken = false;  // only bytes already received may be read

 private:
  std::shared_ptr<tls_client> tls_;
  std::optional<tcp_socket> plain_;
  std::optional<asio::ssl::stream<tcp_socket>> secure_;
  asio::cancellation_signal end_reading_, end_writing_;  // over TLS
};

}  // namespace cooldown::net
