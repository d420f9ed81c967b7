// Stops calling a failing provider for a while, then lets a few trial requests through.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

struct breaker_policy {
  unsigned failure_threshold = 5;  // failures in a row that open it; 0: off
  duration open_for = std::chrono::seconds{60};
  unsigned half_open_requests = 3;  // trials at once, and successes in a row that close it
};

class circuit_breaker {
 public:
  enum class state : std::uint8_t { closed, open, half_open };

  explicit circuit_breaker(const breaker_policy& policy) : policy_(policy) {}

  /// A threshold of 0 switches the breaker off and closes it.
  void configure(const breaker_policy& policy) {
    policy_ = policy;
    if (policy.failure_threshold == 0 && state_ != state::closed) enter(state::closed);
  }

  /// Permission for one attempt. The end of the attempt counts only if the breaker has not changed its state since: an
  /// earlier attempt says nothing about the provider now.
  struct permit {
    std::uint64_t generation = 0;
    bool trial = false;  // given in half_open: one of its trials
  };

  /// Permission for an attempt now; nullopt: none. Its end has to be reported with succeeded, failed or abandoned.
  std::optional<permit> allow(time_point now);

  /// When allow() may give permission again; `now` unless the breaker is open.
  time_point retry_at(time_point now) const;

  void succeeded(permit p);
  void failed(permit p, time_point now);
  /// The attempt ended without saying anything about the provider (for example, the client disconnected).
  void abandoned(permit p);

  state current(time_point now) const;
  unsigned failures() const { return failures_; }  // in a row

 private:
  void enter(state s);

  breaker_policy policy_;
  state state_ = state::closed;
  std::uint64_t generation_ = 0;  // of the state
  unsigned failures_ = 0;
  unsigned trials_ = 0;     // under way in half_open
  unsigned successes_ = 0;  // in half_open
  time_point opened_at_{};
};

/// Whether this status means that the provider fails. Some statuses from 500 on are about the request (RFC 9110
/// §15.6.2, §15.6.6: not implemented, another version of HTTP), so that a client could cause them at will.
bool is_provider_failure(unsigned status);

/// CLOSED, OPEN or HALF_OPEN, for X-CircuitBreaker-State.
const char* name_of(circuit_breaker::state s);

}  // namespace cooldown
