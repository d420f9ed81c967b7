// The daemon: listens, reloads and shuts down.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "cooldown/net/service_manager.hpp"
#include "cooldown/net/session.hpp"

namespace cooldown::net {

/// Reads the configuration again. Returns new settings, or its errors as lines of text.
using reload_function = std::function<std::variant<config::settings, std::vector<std::string>>()>;

/// The message names the address and the configuration key.
struct cannot_listen : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct server_options {
  bool signals = true;  // false: the caller handles signals
  passed_sockets sockets;
};

/// SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads, SIGUSR1 reopens the log file.
class server {
 public:
  /// Binds both ports and logs them ("listening on http://…", "admin on http://…"). Throws cannot_listen.
  server(app& shared, reload_function reload, const server_options& options = {});
  ~server();

  /// The ports in use: as configured, or chosen by the system for 0.
  std::uint16_t port() const { return proxy_.front().local_endpoint().port(); }
  std::uint16_t admin_port() const { return admin_.front().local_endpoint().port(); }

  /// Stops accepting, rejects queued requests, lets exchanges finish within drain_timeout, then closes everything.
  void drain();
  /// Reloads. Returns the errors of the new configuration; empty: it is in force.
  std::vector<std::string> reload();

 private:
  struct last_call;
  struct listener;
  task<void> accept_loop(tcp_acceptor& from, role serves);
  /// Starts a session.
  error_code serve(tcp_socket socket, role serves);
  /// Accepts clients from the backlog. An error is one of accept().
  error_code greet(tcp_acceptor& from, door& at);
  /// Serves waiting clients as far as connections are free, or can be freed.
  error_code let_in(door& at, role serves);
  places_by_network places_taken() const;
  /// False: no connection has been idle for long enough.
  bool end_longest_idle();
  /// Closes a connection that has been sending its request for some time, if its network has more connections than the
  /// newcomer's.
  bool end_slowest_sender(network_id newcomer, places_by_network& taken);
  std::size_t most_connections(role serves) const;
  std::vector<std::string> take_configuration();
  void say_how_many() const;
  void await_signal();
  void on_signal(int number);

  app& shared_;
  reload_function reload_;
  std::vector<tcp_acceptor> proxy_;  // one for each address of server.host
  std::vector<tcp_acceptor> admin_;
  asio::basic_signal_set<executor> signals_;
  std::unique_ptr<last_call> last_call_;
  std::list<listener> listeners_;
  service_manager manager_;
  std::size_t clients_within_descriptors_;
};

}  // namespace cooldown::net
