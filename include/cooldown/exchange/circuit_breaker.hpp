// Stops asking an upstream that fails, and finds out gently when it is back.
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

  /// Switched off (a threshold of 0), it closes.
  void configure(const breaker_policy& policy) {
    policy_ = policy;
    if (policy.failure_threshold == 0 && state_ != state::closed) enter(state::closed);
  }

  /// For one attempt. Its end counts only if the breaker has not changed its state since: how an attempt ends that
  /// began before says nothing about the provider of now.
  struct permit {
    std::uint64_t generation = 0;
    bool trial = false;  // given in half_open: takes one of the places there
  };

  /// May an attempt be made now? Report its end with succeeded, failed or abandoned.
  std::optional<permit> allow(time_point now);

  /// When allow may say yes again; `now` unless it is open.
  time_point retry_at(time_point now) const;

  void succeeded(permit p);
  void failed(permit p, time_point now);
  /// The attempt ended without a verdict on the upstream (the client left).
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

/// Does an answer with this status mean that the provider fails? Some of 500 and above are about the request (RFC 9110
/// §15.6.2, §15.6.6: not implemented, another version of HTTP), so whoever sends it could have them as often as he
/// likes.
bool is_provider_failure(unsigned status);

/// CLOSED, OPEN, HALF_OPEN: as X-CircuitBreaker-State says it.
const char* name_of(circuit_breaker::state s);

}  // namespace cooldown
