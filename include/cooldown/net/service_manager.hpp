// What a service manager is told (sd_notify(3)), and the sockets that it passes (sd_listen_fds(3)). Without one,
// nothing happens.
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

  /// Nothing keeps the loop alive any more.
  void end() { watchdog_.cancel(); }

 private:
  void feed_watchdog();

  steady_timer watchdog_;
  duration interval_{};  // zero: nobody watches
};

/// Listening sockets, each -1 when there is none: the one named "admin", or the second, is the admin port's.
struct passed_sockets {
  int proxy = -1;
  int admin = -1;
};

/// Once per process. Throws std::runtime_error for what is no listening socket.
passed_sockets take_passed_sockets();

}  // namespace cooldown::net
