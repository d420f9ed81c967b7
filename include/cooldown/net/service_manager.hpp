// Notifies a service manager (sd_notify(3)) and takes the sockets that it passes (sd_listen_fds(3)). Does nothing if
// there is none.
#pragma once

#include <string>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

class service_manager {
 public:
  explicit service_manager(asio::io_context& io) : watchdog_(io) {}

  void ready(const std::string& status);
  void reloading() const;
  void stopping();

  /// Stops the watchdog's timer, so that it no longer keeps the loop running.
  void end() { watchdog_.cancel(); }

 private:
  void feed_watchdog();

  steady_timer watchdog_;
  duration interval_{};  // zero: no watchdog
};

/// Listening sockets, -1: none. The one named "admin", or the second, is the admin port's.
struct passed_sockets {
  int proxy = -1;
  int admin = -1;
};

/// To be called once per process. Throws std::runtime_error if a socket is not a listening TCP socket.
passed_sockets take_passed_sockets();

}  // namespace cooldown::net
