// Everything that sessions share. main() creates one; one thread uses it.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "cooldown/config/config.hpp"
#include "cooldown/exchange/body_room.hpp"
#include "cooldown/net/admission.hpp"
#include "cooldown/net/client_rules.hpp"
#include "cooldown/net/client_tls.hpp"
#include "cooldown/net/identity.hpp"
#include "cooldown/net/interrupt.hpp"
#include "cooldown/net/upstream.hpp"
#include "cooldown/observe/history.hpp"
#include "cooldown/observe/log.hpp"
#include "cooldown/observe/report.hpp"
#include "cooldown/observe/stats.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::net {

class client_connection;

class app {
 public:
  /// Throws std::runtime_error when the TLS settings cannot be used.
  app(asio::io_context& context, const config::settings& settings, observe::log& log_to);
  ~app();

  /// Applies new settings. Requests that have been sent finish under the old ones; each new attempt goes to the current
  /// provider with its key. Throws and changes nothing if the settings cannot be used.
  void reconfigure(const config::settings& settings);

  /// The current settings. Sessions copy the pointer for each exchange.
  std::shared_ptr<const config::settings> settings() const { return upstream_->settings; }

  /// The current upstream. Each attempt copies the pointer and keeps it.
  const upstream_ptr& upstream_of_now() const { return upstream_; }
  net::provider& provider() const { return *upstream_->provider; }

  /// The rules of the current settings for clients.
  const client_rules& rules() const { return rules_; }

  observe::sources sources() const;

  /// Number of requests that wait, for quota or for the provider.
  std::size_t queue_length() const { return limiter.queue_length() + held.size(); }

  /// Remembers the name of a key; `id` is its hash.
  void name_key(std::uint64_t id, std::string_view key);

  /// A salted hash of a credential; the credential itself is not kept.
  std::uint64_t credential_of(std::string_view authorization) const;

  /// A salted hash that identifies equal requests; never 0.
  std::uint64_t hash_of(std::string_view method, std::string_view target, std::string_view body) const;

  /// While the breaker is not closed, releases only as many tickets as it has trials; the others stay in the queue
  /// without a reservation. To be called when a metered request ends; the breaker's gate calls it by itself.
  void bound_in_flight();

  /// Counts and remembers a finished exchange, and writes its access line, together with others of about the same time.
  void finished(observe::access_record record);

  /// Stops sampling for the history, so that it no longer keeps the loop running.
  void stop_history();

  /// Logs a problem of the provider's headers once per text, for a bounded number of texts.
  void complain_once(const std::string& problem);

  asio::io_context& io;
  observe::log& log;
  const std::string pseudonym;  // unique name of this process in Via, by which a request that comes back is recognized
  const std::string via;        // the value of our Via header
  mutable observe::stats stats;
  observe::history history;
  observe::names names;         // of clients and keys, by hash
  observe::held_requests held;  // released requests that still wait
  mutable cerebras_limiter limiter;
  deadline_sweep sweep;
  admission gate;
  std::shared_ptr<tls_server> tls;  // for new clients; null: plain HTTP
  std::string url;                  // of the main port, as in the log
  bool draining = false;
  std::function<std::vector<std::string>()> reload;  // reads the configuration again; returns its errors
  std::function<void()> when_empty;                  // called while draining when the last connection has been closed
  std::uint64_t next_request_id = 1;
  body_room bodies;  // memory of all requests, from the first byte read to the end of the exchange
  std::set<client_connection*> connections;  // open connections, each of which removes itself

 private:
  struct log_flusher;

  /// Samples the limiter once a second while there has been a request within the span of the history.
  void keep_history();
  void sample();
  client_rules rules_of(const config::settings& settings) const;

  upstream_ptr upstream_;
  std::uint64_t opened_before_ = 0;  // connections opened to previous providers
  std::size_t in_flight_bound_;
  std::string salt_;
  identity identity_;
  client_rules rules_;
  std::set<std::string> complaints_;
  std::unique_ptr<log_flusher> flusher_;
  steady_timer sampler_;
  bool sampling_ = false;
  time_point last_request_{};
  time_point started_ = steady_now();
};

}  // namespace cooldown::net
