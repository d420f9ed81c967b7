// Everything the sessions share. main() makes one; one thread uses it.
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

  /// Takes over new settings. What has been sent ends under the old ones; each attempt goes to the provider of now with
  /// its key. Throws and changes nothing when they cannot be used.
  void reconfigure(const config::settings& settings);

  /// The settings of now. Sessions take a copy of the pointer for each exchange.
  std::shared_ptr<const config::settings> settings() const { return upstream_->settings; }

  /// Where attempts go now. Each takes a copy of the pointer, and keeps to it.
  const upstream_ptr& upstream_of_now() const { return upstream_; }
  net::provider& provider() const { return *upstream_->provider; }

  /// What they grant whom.
  const client_rules& rules() const { return rules_; }

  observe::sources sources() const;

  /// Requests that wait, for quota or for the provider.
  std::size_t queue_length() const { return limiter.queue_length() + held.size(); }

  /// Remembers what a key is called: `id` is its hash.
  void name_key(std::uint64_t id, std::string_view key);

  /// A salted hash of a credential, so that none is kept.
  std::uint64_t credential_of(std::string_view authorization) const;

  /// A salted hash by which the same request is known again; never 0.
  std::uint64_t hash_of(std::string_view method, std::string_view target, std::string_view body) const;

  /// While the upstream is suspected, only as many tickets are released as may try it; the others keep their places and
  /// their reservations unmade. Call when a metered request ends; the breaker's gate calls it by itself.
  void bound_in_flight();

  /// Counts and remembers an exchange at its end, and writes its access line, together with others of about the same
  /// time.
  void finished(observe::access_record record);

  /// No more samples for the history: nothing of it keeps the loop alive.
  void stop_history();

  /// A complaint about a provider's headers goes to the log once per text, in a bounded number of texts.
  void complain_once(const std::string& problem);

  asio::io_context& io;
  observe::log& log;
  const std::string
      pseudonym;          // of this process in Via: no other has the same, so a request that names it has come back
  const std::string via;  // the field's value
  mutable observe::stats stats;
  observe::history history;
  observe::names names;         // of clients and keys, by their hashes
  observe::held_requests held;  // released, and waiting all the same
  mutable cerebras_limiter limiter;
  deadline_sweep sweep;
  admission gate;
  std::shared_ptr<tls_server> tls;  // for the next client; null: plain HTTP
  std::string url;                  // of the main port, as the log says it
  bool draining = false;
  std::function<std::vector<std::string>()>
      reload;                        // reads the configuration again; what is wrong with it, if anything
  std::function<void()> when_empty;  // called while draining when the last connection has gone
  std::uint64_t next_request_id = 1;
  body_room bodies;                          // of all requests, from the first byte read to the end of the exchange
  std::set<client_connection*> connections;  // open ones, each of which removes itself

 private:
  struct log_flusher;

  /// Samples the limiter once a second as long as there was a request within the length of the history.
  void keep_history();
  void sample();
  client_rules rules_of(const config::settings& settings) const;

  upstream_ptr upstream_;
  std::uint64_t opened_before_ = 0;  // connections to the providers before the one of now
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
