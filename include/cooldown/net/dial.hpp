// Connects to the first of several addresses that answers.
#pragma once

#include "cooldown/net/address_book.hpp"

namespace cooldown::net {

/// The result of dial().
struct dialled {
  explicit dialled(asio::io_context& io) : socket(io) {}
  tcp_socket socket;              // connected, or closed
  asio::ip::tcp::endpoint to;     // the connected address, or the last one tried
  error_code failed;              // the error of that address
  bool only_local_errors = true;  // every failure was one of this machine
};

/// Tries the addresses in order. The next one is tried when the previous one has failed or has not answered for a
/// quarter of a second (RFC 8305 §5), or sooner if there are too many for `within`. The first that answers is used.
/// Ends without a connection if all have failed or the interrupt fires.
task<void> dial(const endpoints& addresses, duration within, interrupt& ctl, dialled& out);

}  // namespace cooldown::net
