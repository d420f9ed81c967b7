#include "cooldown/core/circuit_breaker.hpp"

#include <algorithm>

namespace cooldown {

circuit_breaker::state circuit_breaker::current(time_point now) const {
  return state_ == state::open && now >= opened_at_ + policy_.open_for ? state::half_open : state_;
}

bool circuit_breaker::allow(time_point now) {
  if (policy_.failure_threshold == 0) return true;
  if (state_ == state::open && current(now) == state::half_open) {
    state_ = state::half_open;
    trials_ = 0;
    successes_ = 0;
  }
  if (state_ == state::closed) return true;
  if (state_ == state::open || trials_ >= std::max(1U, policy_.half_open_requests)) return false;
  ++trials_;
  return true;
}

time_point circuit_breaker::retry_at(time_point now) const {
  switch (current(now)) {
    case state::closed:
      return now;
    case state::open:
      return opened_at_ + policy_.open_for;
    case state::half_open:
      return now + std::chrono::seconds{1};  // the trials are under way
  }
  return now;
}

void circuit_breaker::succeeded(time_point) {
  failures_ = 0;
  if (state_ != state::half_open) return;
  if (trials_ > 0) --trials_;
  if (++successes_ >= std::max(1U, policy_.half_open_requests)) state_ = state::closed;
}

void circuit_breaker::failed(time_point now) {
  ++failures_;
  if (policy_.failure_threshold == 0) return;
  if (state_ == state::half_open || (state_ == state::closed && failures_ >= policy_.failure_threshold)) open(now);
}

void circuit_breaker::abandoned() {
  if (state_ == state::half_open && trials_ > 0) --trials_;
}

void circuit_breaker::open(time_point now) {
  state_ = state::open;
  opened_at_ = now;
}

const char* name_of(circuit_breaker::state s) {
  switch (s) {
    case circuit_breaker::state::closed:
      return "CLOSED";
    case circuit_breaker::state::open:
      return "OPEN";
    case circuit_breaker::state::half_open:
      return "HALF_OPEN";
  }
  return "CLOSED";
}

}  // namespace cooldown
