// One connection to the upstream, plain or TLS.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

/// An error of this machine (no descriptors, no memory, no free port, forbidden): it says nothing about the upstream.
bool is_local(const error_code& ec);

class tls_client;

/// Bytes both ways. After any error it is only good for destruction. `in` keeps what was read and not yet consumed.
class upstream_connection {
 public:
  explicit upstream_connection(tcp_socket socket) : plain_(std::move(socket)) {}
  /// `tls` is kept for as long as the connection lives: it holds what the stream points to.
  upstream_connection(std::shared_ptr<tls_client> tls, tcp_socket socket);

  tcp_socket& socket() { return secure_ ? secure_->next_layer() : *plain_; }
  asio::ssl::stream<tcp_socket>* tls() { return secure_ ? &*secure_ : nullptr; }

  /// Writes what goes without waiting, which over TLS is nothing.
  std::size_t write_at_once(std::span<const asio::const_buffer> buffers, error_code& ec);

  /// Writes some of it. Whoever wants to end the wait cancels the socket.
  task<std::pair<error_code, std::size_t>> write_some(std::span<const asio::const_buffer> buffers);

  /// Reads at least one byte into `in`, at most `most`. At the end of the stream: asio::error::eof; a TLS stream that
  /// ends without close_notify: asio::ssl::error::stream_truncated.
  task<error_code> read_some(std::size_t most, interrupt& ctl);

  /// True if nothing at all waits to be read, at any layer, and the connection stands: the only state in which an idle
  /// one can be used. What TLS says to itself (session tickets) is taken in passing.
  bool quiet();

  boost::beast::flat_buffer in;
  time_point made_at = steady_now();
  time_point idle_since{};
  bool reused = false;  // has carried an exchange before the present one
  bool broken = false;  // only good for what was already received

 private:
  std::shared_ptr<tls_client> tls_;
  std::optional<tcp_socket> plain_;
  std::optional<asio::ssl::stream<tcp_socket>> secure_;
};

}  // namespace cooldown::net
