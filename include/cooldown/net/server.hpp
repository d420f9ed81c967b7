// Listens, reloads and ends.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "cooldown/net/service_manager.hpp"
#include "cooldown/net/session.hpp"

namespace cooldown::net {

/// Reads the configuration again: new settings, or the problems as lines of text.
using reload_function = std::function<std::variant<config::settings, std::vector<std::string>>()>;

/// Names the address and the configuration key.
struct cannot_listen : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct server_options {
  bool signals = true;  // false: somebody else listens to them
  passed_sockets sockets;
};

/// The daemon. SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reloads, SIGUSR1 opens the log file again.
class server {
 public:
  /// Binds both ports and says so in the log ("listening on http://…", "admin on http://…"). Throws
  /// cannot_listen.
  server(app& shared, reload_function reload, const server_options& options = {});
  ~server();

  /// The ports in use: the configured ones, or those the system chose for 0.
  std::uint16_t port() const { return proxy_.front().local_endpoint().port(); }
  std::uint16_t admin_port() const { return admin_.front().local_endpoint().port(); }

  /// Stops accepting, refuses what waits in the queue, lets exchanges finish within drain_timeout, then closes
  /// everything.
  void drain();
  /// What is wrong with the new configuration; empty: it is in force.
  std::vector<std::string> reload();

 private:
  struct last_call;
  task<void> accept_loop(tcp_acceptor& from, role serves);
  /// Begins a session.
  error_code serve(tcp_socket socket, role serves);
  /// Takes in who waits in the backlog. An error is of accepting.
  error_code greet(tcp_acceptor& from, door& at);
  /// Serves those at the door for whom there is a place, or one is made.
  error_code let_in(door& at, role serves);
  places_by_network places_taken() const;
  /// False: nobody has been idle for long enough.
  bool end_longest_idle();
  /// Ends a client that has not sent its request to the end for some time, if its network has taken more than its part.
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
  service_manager manager_;
  std::size_t clients_within_descriptors_;
};

}  // namespace cooldown::net
