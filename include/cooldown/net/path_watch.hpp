// Notices that a peer has become unreachable without a word: no TCP stack tells before it has something to send.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// Silent for this long, a connection is probed. Below a minute: some NATs forget a silent one after that.
constexpr int probe_after_seconds = 30;
constexpr int probe_interval_seconds = 10;
/// What is sent, probes included, is acknowledged within this time, or the connection fails with ETIMEDOUT: some seven
/// retransmissions, and long enough to change from one network to another.
constexpr int acknowledged_within_seconds = 20;

/// For a connected socket. What the system refuses is done without.
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
