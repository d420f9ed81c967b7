// Keep-alive connections to one peer: opened on demand, lent for one exchange, and kept while they are usable.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cooldown/config/config.hpp"
#include "cooldown/net/address_book.hpp"
#include "cooldown/net/tls.hpp"
#include "cooldown/net/upstream_connection.hpp"

namespace cooldown::net {

/// The peer, and how long connections are kept.
struct pool_settings {
  std::string path = "cerebras";  // of the upstream in the configuration, for errors
  config::origin origin;
  config::tls_settings tls;
  std::string authorities;                           // authorities_of(tls) when they were read
  duration idle_timeout = std::chrono::seconds{60};  // shorter than servers and middleboxes keep connections
  duration largest_age = std::chrono::minutes{10};   // so that changes of the provider's addresses are followed
  std::size_t max_idle = 256;

  /// Whether connections for these settings can be used for the others.
  bool same_peer(const pool_settings& other) const;
};

/// Why there is no connection.
struct connect_failure {
  bool certificate = false;  // the peer's certificate was not accepted
  bool interrupted = false;  // the interrupt fired
  error_code local;          // an error of this machine, at every address
  std::string message;       // for the log
};

class upstream_pool {
 public:
  using connection_ptr = std::unique_ptr<upstream_connection>;
  using result = std::variant<connection_ptr, connect_failure>;

  /// Throws std::runtime_error if the TLS settings cannot be used.
  upstream_pool(asio::io_context& io, deadline_sweep& sweep, const pool_settings& settings);
  ~upstream_pool();

  /// A usable connection: an idle one (newest first), unless `fresh`, or a new one to the first address that answers.
  /// `patience` is the time limit of the look-up, of connecting, and of the TLS handshake with each address. The pool
  /// must outlive the call.
  task<result> acquire(interrupt& ctl, bool fresh, duration patience);

  /// An idle connection that is usable, the newest; null: there is none. acquire() begins with this; this saves its
  /// frame.
  connection_ptr take_idle();

  /// Gives a connection back after a complete keep-alive exchange. After anything else, destroy it instead.
  void give_back(connection_ptr c);

  /// The pool will not be used any more: closes idle connections, and those given back later. Waiting look-ups fail.
  void retire();

  const pool_settings& settings() const { return settings_; }
  std::size_t idle() const { return idle_.size(); }
  std::uint64_t opened() const { return opened_; }
  void close_idle();

 private:
  struct janitor;

  bool is_good(upstream_connection& c, time_point now) const;
  task<error_code> shake_hands(upstream_connection& c, interrupt& ctl, connect_failure& why);
  task<connection_ptr> connect(interrupt& ctl, duration patience, connect_failure& why);
  task<connection_ptr> connect_to(endpoints addresses, interrupt& ctl, duration patience, connect_failure& why);

  asio::io_context& io_;
  pool_settings settings_;
  std::shared_ptr<tls_client> tls_;  // null: plain
  address_book addresses_;
  bool retired_ = false;
  std::vector<connection_ptr> idle_;  // oldest first
  std::uint64_t opened_ = 0;
  std::unique_ptr<janitor> janitor_;
};

}  // namespace cooldown::net
