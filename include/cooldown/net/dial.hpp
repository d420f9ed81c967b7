// Connects to whichever of several addresses answers.
#pragma once

#include "cooldown/net/address_book.hpp"

namespace cooldown::net {

/// What came of it.
struct dialled {
  explicit dialled(asio::io_context& io) : socket(io) {}
  tcp_socket socket;              // connected, or closed
  asio::ip::tcp::endpoint to;     // what it is connected to, or what was tried last
  error_code failed;              // of that
  bool only_local_errors = true;  // every failure was one of this machine
};

/// Tries the addresses in their order, the next one when the one before has failed or has not answered for a quarter of
/// a second (RFC 8305 §5), and sooner where there are too many for `within`. The first that answers is taken. Ends
/// without a connection when all have failed, or when the interrupt fires.
task<void> dial(const endpoints& addresses, duration within, interrupt& ctl, dialled& out);

}  // namespace cooldown::net
