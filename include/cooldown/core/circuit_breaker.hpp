// Stops asking an upstream that fails, and finds out gently when it is back.
#pragma once

#include <cstdint>

#include "cooldown/core/time.hpp"

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

  void configure(const breaker_policy& policy) { policy_ = policy; }

  /// May an attempt be made now? A true answer in half_open takes one of the trials: report its end with succeeded,
  /// failed or abandoned.
  bool allow(time_point now);

  /// When allow may say yes again; `now` unless it is open.
  time_point retry_at(time_point now) const;

  void succeeded(time_point now);
  void failed(time_point now);
  /// The attempt ended without a verdict on the upstream (the client left).
  void abandoned();

  state current(time_point now) const;
  unsigned failures() const { return failures_; }  // in a row

 private:
  void open(time_point now);

  breaker_policy policy_;
  state state_ = state::closed;
  unsigned failures_ = 0;
  unsigned trials_ = 0;     // under way in half_open
  unsigned successes_ = 0;  // in half_open
  time_point opened_at_{};
};

/// CLOSED, OPEN, HALF_OPEN: as X-CircuitBreaker-State says it.
const char* name_of(circuit_breaker::state s);

}  // namespace cooldown
