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

/// Bytes both ways. After any error it is only good for destruction. `in` keeps what was read and not yet consumed.
class upstream_connection {
 public:
  upstream_connection(std::shared_ptr<const void> made_for, tcp_socket socket)
      : made_for_(std::move(made_for)), plain_(std::move(socket)) {}
  upstream_connection(std::shared_ptr<const void> made_for, tcp_socket socket, asio::ssl::context& tls)
      : made_for_(std::move(made_for)), secure_(std::in_place, std::move(socket), tls) {}

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
  time_point idle_since{};
  bool reused = false;  // has carried an exchange before the present one
  bool broken = false;  // only good for what was already received

  /// Whom it was made for: what holds the TLS context, which must outlive the stream.
  const std::shared_ptr<const void>& made_for() const { return made_for_; }

 private:
  std::shared_ptr<const void> made_for_;
  std::optional<tcp_socket> plain_;
  std::optional<asio::ssl::stream<tcp_socket>> secure_;
};

}  // namespace cooldown::net
