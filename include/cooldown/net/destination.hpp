// Where requests can be sent: an account of an upstream, with its own quota.
#pragma once

#include <memory>
#include <string>

#include "cooldown/net/admission.hpp"
#include "cooldown/net/upstream.hpp"
#include "cooldown/observe/held_request.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::net {

class destination {
 public:
  /// Has no upstream until the first apply().
  destination(asio::io_context& io, const upstream& of);
  destination(const destination&) = delete;
  destination& operator=(const destination&) = delete;

  /// From now on each new attempt goes there; what has been sent finishes at the previous one. `name`: of the upstream,
  /// with the number of the account if there are several.
  void apply(upstream_ptr next, std::string name, bool is_first);

  /// It is not configured any more: requests that wait are told to go elsewhere.
  void retire();
  bool retired() const { return retired_; }

  /// The current upstream. Each attempt copies the pointer and keeps it.
  const upstream_ptr& upstream_of_now() const { return upstream_; }
  net::provider& provider() const { return *upstream_->provider; }
  const std::string& name() const { return name_; }
  /// Tells the scopes of destinations apart where all are shown together; 0: the first one.
  std::uint64_t id() const { return id_; }

  /// A key that was refused is tried again after this: somebody may have paid, or allowed it again.
  static constexpr duration set_aside_for = std::chrono::minutes{10};

  /// The provider has refused the account's key for good. True: nobody had said so before.
  bool set_aside(time_point now);
  /// It has taken the key.
  void accepted() { aside_until_ = {}; }
  bool is_aside(time_point now) const { return now < aside_until_; }
  time_point aside_until() const { return aside_until_; }

  /// While paused, it gets no new requests; those that have been sent finish.
  void pause(bool paused);

  /// Whether a request may be sent there as soon as there is quota.
  bool is_usable(time_point now) const;
  /// When it may become so; `now` if it is.
  time_point usable_at(time_point now) const;

  /// While the breaker is not closed, releases only as many tickets as it has trials; the others stay in the queue
  /// without a reservation. To be called when a metered request ends; the breaker's gate calls it by itself.
  void bound_in_flight();

  /// Number of requests that wait, for quota or for the provider.
  std::size_t queue_length() const { return limiter.queue_length() + held.size(); }

  cerebras_limiter limiter;
  admission gate;
  observe::held_requests held;  // released requests that still wait
  time_point last_used{};       // the last attempt

 private:
  upstream_ptr upstream_;
  std::string name_;
  std::uint64_t id_ = 0;
  std::size_t in_flight_bound_;
  time_point aside_until_{};
  bool retired_ = false;
};

using destination_ptr = std::shared_ptr<destination>;

}  // namespace cooldown::net
