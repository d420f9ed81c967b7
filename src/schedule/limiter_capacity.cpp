// Tickets that the provider had no capacity for: each waits for its own time, in its place, while the others flow.
#include <algorithm>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "limiter_parts.hpp"

namespace cooldown {

observation cerebras_limiter::defer(ticket_id id, ticket& t, std::optional<duration> told, time_point now) {
  auto& s = *t.owner;
  t.not_before = s.limits.refused_for_capacity(t.reservation, ++t.capacity_refusals, told, now);
  t.reservation = 0;
  observation result{.backs_off_until = deferred_until(t)};
  if (*result.backs_off_until > t.deadline) return result;
  take_back(id, t, now);
  enqueue(id, t, now);
  result.what = verdict::queue_again;
  return result;
}

time_point cerebras_limiter::deferred_until(const ticket& t) {
  return std::max(t.not_before, t.owner->limits.refused_until());
}

/// Puts those whose time has come back into the queue. Returns when the next one's comes.
time_point cerebras_limiter::return_deferred(scope& s, time_point now) {
  while (!s.deferred.empty()) {
    auto const id = s.deferred.begin()->second;
    auto& t = tickets_.at(id);
    if (auto const until = deferred_until(t); until > now) return until;
    s.deferred.erase(s.deferred.begin());
    estimate(t, now);
    t.where = ticket::state::waiting;
    s.queue.push(t.place, id, t.cost);
  }
  return time_point::max();
}

}  // namespace cooldown
