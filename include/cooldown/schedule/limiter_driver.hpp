// The loop around the limiter, without clock and timer: it polls the limiter, hands each decision to the waiter of its
// ticket, keeps decisions that nobody waits for yet, and says when to poll again. Pure, like the limiter.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {

/// A `Waiter` represents a waiting request, for example a handler; it is moved to `tell` with the decision. Not
/// thread-safe.
template <class Waiter>
class limiter_driver {
 public:
  /// Keeps the reference.
  explicit limiter_driver(cerebras_limiter& limiter) : limiter_(limiter) {}

  cerebras_limiter& limiter() { return limiter_; }

  /// `who` waits for the decision about a queued ticket; update() tells it once. If the decision has already been made,
  /// it is returned instead.
  std::optional<ticket_event> wait(ticket_id id, Waiter who) {
    if (auto const early = early_.extract(id)) return early.mapped();
    waiters_.insert_or_assign(id, std::move(who));
    return std::nullopt;
  }

  /// Removes the waiter; a later decision is kept for the next wait().
  void stop_waiting(ticket_id id) { waiters_.erase(id); }

  /// A copy of all that wait.
  std::vector<Waiter> waiting() const {
    std::vector<Waiter> all;
    all.reserve(waiters_.size());
    for (auto const& [id, who] : waiters_) all.push_back(who);
    return all;
  }

  /// The ticket has ended: drops its waiter and decision.
  void forget(ticket_id id) {
    waiters_.erase(id);
    early_.erase(id);
  }

  /// To be called after every event that may release a ticket. Calls `tell(waiter, event)` for each decision with a
  /// waiter. Returns the new time for the alarm if that has changed; time_point::max(): never.
  template <class Tell>
  std::optional<time_point> update(time_point now, Tell&& tell) {
    if (limiter_.queue_length() == 0 && alarm_ == time_point::max()) return std::nullopt;
    for (auto const& event : limiter_.poll(now)) {
      if (auto found = waiters_.extract(event.id)) {
        tell(std::move(found.mapped()), event);
      } else {
        early_.insert_or_assign(event.id, event);
      }
    }
    auto const next = limiter_.next_deadline(now).value_or(time_point::max());
    if (next == alarm_) return std::nullopt;
    alarm_ = next;
    return next;
  }

  /// The time that the alarm is set for; time_point::max(): none.
  time_point alarm() const { return alarm_; }
  /// The alarm is no longer set. To be followed by update().
  void alarm_rang() { alarm_ = time_point::max(); }

 private:
  cerebras_limiter& limiter_;
  std::unordered_map<ticket_id, Waiter> waiters_;
  std::unordered_map<ticket_id, ticket_event> early_;  // decided while nobody was waiting yet
  time_point alarm_ = time_point::max();
};

}  // namespace cooldown
