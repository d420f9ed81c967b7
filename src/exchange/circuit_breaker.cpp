#include "cooldown/exchange/circuit_breaker.hpp"

#include <algorithm>

namespace cooldown {

circuit_breaker::state circuit_breaker::current(time_point now) const {
  return state_ == state::open && now >= opened_at_ + policy_.open_for ? state::half_open : state_;
}

std::optional<circuit_breaker::permit> circuit_breaker::allow(time_point now) {
  if (policy_.failure_threshold == 0) return permit{generation_};
  if (state_ == state::open && current(now) == state::half_open) {
    enter(state::half_open);
    trials_ = 0;
    successes_ = 0;
  }
  if (state_ == state::closed) return permit{generation_};
  if (state_ == state::open || trials_ >= std::max(1U, policy_.half_open_requests)) return std::nullopt;
  ++trials_;
  return permit{generation_, true};
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

void circuit_breaker::succeeded(permit p) {
  if (p.generation != generation_) return;
  failures_ = 0;
  if (!p.trial) return;
  --trials_;
  if (++successes_ >= std::max(1U, policy_.half_open_requests)) enter(state::closed);
}

void circuit_breaker::failed(permit p, time_point now) {
  if (p.generation != generation_) return;
  ++failures_;
  if (policy_.failure_threshold == 0) return;
  if (p.trial || (state_ == state::closed && failures_ >= policy_.failure_threshold)) {
    enter(state::open);
    opened_at_ = now;
  }
}

void circuit_breaker::abandoned(permit p) {
  if (p.generation == generation_ && p.trial) --trials_;
}

void circuit_breaker::enter(state s) {
  state_ = s;
  ++generation_;
}

bool is_provider_failure(unsigned status) {
  switch (status) {
    case 501:  // not implemented
    case 505:  // HTTP version not supported
    case 506:  // variant also negotiates
    case 508:  // loop detected
    case 510:  // not extended
      return false;
    default:
      return status >= 500;
  }
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
