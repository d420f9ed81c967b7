// Keep-alive connections to the upstream: made on demand, lent for one exchange, kept while they are sound.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cooldown/config/config.hpp"
#include "cooldown/net/tls.hpp"
#include "cooldown/net/upstream_connection.hpp"

namespace cooldown::net {

struct pool_settings {
  config::origin origin;
  config::tls_settings tls;
  duration connect_timeout = std::chrono::seconds{5};
  duration idle_timeout = std::chrono::seconds{60};  // below the minutes that servers and middleboxes grant
  std::size_t max_idle = 256;
};

/// Why there is no connection.
struct connect_failure {
  bool certificate = false;  // the peer's certificate is not acceptable
  bool interrupted = false;  // the interrupt fired
  error_code local;          // an error of this machine, at every address
  std::string message;       // for the log
};

class upstream_pool {
 public:
  using connection_ptr = std::unique_ptr<upstream_connection>;

  /// Throws std::runtime_error if the TLS settings cannot be used.
  upstream_pool(asio::io_context& io, deadline_sweep& sweep, const pool_settings& settings);
  ~upstream_pool();

  /// New settings for connections made from now on; idle ones of another origin are closed. Throws like the
  /// constructor, and then nothing has changed.
  void configure(const pool_settings& settings);

  /// A sound connection: an idle one (newest first), unless `fresh`, or a new one to the first address that answers. It
  /// is made for the settings in force when this returns, whatever a reload changed meanwhile: a head that is written
  /// under them, without waiting for anything in between, goes where it belongs.
  task<std::variant<connection_ptr, connect_failure>> acquire(interrupt& ctl, bool fresh);

  /// Gives a connection back after a complete exchange with keep-alive. Anything else: just destroy it.
  void give_back(connection_ptr c);

  std::size_t idle() const { return idle_.size(); }
  std::uint64_t opened() const { return opened_; }
  void close_idle();

 private:
  struct janitor;
  using resolver = asio::ip::basic_resolver<asio::ip::tcp, executor>;
  using endpoints = std::vector<asio::ip::tcp::endpoint>;

  /// What a reload exchanges as a whole. Whoever is connecting goes on with the one it began with, and what it learns
  /// of addresses stays there.
  struct provider {
    explicit provider(const pool_settings& s);
    pool_settings settings;
    std::optional<tls_client> tls;
    endpoints resolved;
    time_point resolved_at{};
  };
  using provider_ptr = std::shared_ptr<provider>;

  task<error_code> resolve(provider& of, interrupt& ctl, endpoints& out);
  task<error_code> connect_one(provider_ptr of, asio::ip::tcp::endpoint to, interrupt& ctl, connection_ptr& out,
                               connect_failure& why);
  task<connection_ptr> connect(provider_ptr of, interrupt& ctl, connect_failure& why);

  asio::io_context& io_;
  provider_ptr now_;
  std::vector<connection_ptr> idle_;  // oldest first
  std::uint64_t opened_ = 0;
  std::unique_ptr<janitor> janitor_;
};

}  // namespace cooldown::net
