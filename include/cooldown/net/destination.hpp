// Where requests can be sent: an account of an upstream, with its own quota.
#pragma once

#include "cooldown/net/admission.hpp"
#include "cooldown/net/upstream.hpp"
#include "cooldown/observe/held_request.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::net {

class destination {
 public:
  /// Throws std::runtime_error if the TLS settings cannot be used.
  destination(asio::io_context& io, deadline_sweep& sweep, settings_ptr settings);
  ~destination();
  destination(const destination&) = delete;
  destination& operator=(const destination&) = delete;

  /// The upstream for new settings, for apply(). Throws and changes nothing if the settings cannot be used.
  upstream_ptr prepare(settings_ptr settings);
  /// From now on each new attempt goes there; what has been sent finishes at the previous one.
  void apply(upstream_ptr next);

  /// The current upstream. Each attempt copies the pointer and keeps it.
  const upstream_ptr& upstream_of_now() const { return upstream_; }
  net::provider& provider() const { return *upstream_->provider; }

  /// While the breaker is not closed, releases only as many tickets as it has trials; the others stay in the queue
  /// without a reservation. To be called when a metered request ends; the breaker's gate calls it by itself.
  void bound_in_flight();

  /// Number of requests that wait, for quota or for the provider.
  std::size_t queue_length() const { return limiter.queue_length() + held.size(); }
  std::uint64_t connections_opened() const { return opened_before_ + provider().pool.opened(); }

  cerebras_limiter limiter;
  admission gate;
  observe::held_requests held;  // released requests that still wait

 private:
  asio::io_context& io_;
  deadline_sweep& sweep_;
  upstream_ptr upstream_;
  std::uint64_t opened_before_ = 0;  // connections opened to previous providers
  std::size_t in_flight_bound_;
};

}  // namespace cooldown::net
