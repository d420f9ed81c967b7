// Listens, reloads and ends.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include <boost/asio/signal_set.hpp>

#include "cooldown/net/session.hpp"

namespace cooldown::net {

/// Reads the configuration again: new settings, or the problems as lines of text.
using reload_function = std::function<std::variant<config::settings, std::vector<std::string>>()>;

/// The daemon. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads.
class server {
 public:
  /// Binds both ports and says so in the log ("listening on http://…", "admin on http://…"). Throws std::runtime_error
  /// that names the address and the configuration key when it cannot.
  server(app& shared, reload_function reload);
  ~server();

  /// The ports in use: the configured ones, or those the system chose for 0.
  std::uint16_t port() const { return proxy_.local_endpoint().port(); }
  std::uint16_t admin_port() const { return admin_.local_endpoint().port(); }

  /// Stops accepting, refuses what waits in the queue, lets exchanges finish within drain_timeout, then closes
  /// everything.
  void drain();
  /// What is wrong with the new configuration; empty: it is in force.
  std::vector<std::string> reload();

 private:
  struct last_call;
  task<void> accept_loop(tcp_acceptor& from, role serves);
  void await_signal();
  void on_signal(int number);

  app& shared_;
  reload_function reload_;
  tcp_acceptor proxy_;
  tcp_acceptor admin_;
  asio::basic_signal_set<executor> signals_;
  std::unique_ptr<last_call> last_call_;
};

}  // namespace cooldown::net
