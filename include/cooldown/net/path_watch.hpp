// Detects unreachable peers: without this, TCP does not notice until it has something to send.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// A connection is probed after this long without traffic. Below a minute, because some NATs forget a silent connection
/// after that.
constexpr int probe_after_seconds = 30;
constexpr int probe_interval_seconds = 10;
/// If data or probes are not acknowledged within this time, the connection fails with ETIMEDOUT: some seven
/// retransmissions, and long enough to switch networks.
constexpr int acknowledged_within_seconds = 20;

/// For a connected socket. Options that the system refuses are skipped.
inline void watch_path(tcp_socket& socket) {
  using probe_after = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using probe_interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using acknowledged_within = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
  error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(probe_after(probe_after_seconds), ignored);
  socket.set_option(probe_interval(probe_interval_seconds), ignored);
  socket.set_option(acknowledged_within(acknowledged_within_seconds * 1000), ignored);
}

}  // namespace cooldown::net
