// The loop around the limiter, without its clock and its alarm: it asks what has been decided, hands each decision to
// whoever waits for it, keeps those that came too early, and says when to ask again. Pure, like the limiter.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {

/// A `Waiter` is whatever stands for one that waits: copied, and moved to whoever is told of its decision. Not
/// thread-safe.
template <class Waiter>
class limiter_driver {
 public:
  /// Keeps the reference.
  explicit limiter_driver(cerebras_limiter& limiter) : limiter_(limiter) {}

  cerebras_limiter& limiter() { return limiter_; }

  /// `who` waits for the decision about a queued ticket, and is told of it once by update(). If it has been made
  /// already, it is returned instead.
  std::optional<ticket_event> wait(ticket_id id, Waiter who) {
    if (auto const early = early_.extract(id)) return early.mapped();
    waiters_.insert_or_assign(id, std::move(who));
    return std::nullopt;
  }

  /// Nobody waits any longer; what is decided from now on is kept for the next wait().
  void stop_waiting(ticket_id id) { waiters_.erase(id); }

  /// The ticket has ended: nobody will ask for a decision about it.
  void forget(ticket_id id) {
    waiters_.erase(id);
    early_.erase(id);
  }

  /// To be called after anything that may let a ticket go. Calls `tell(waiter, event)` for each decision that somebody
  /// waits for. Returns when to set the alarm for, in place of the last one, if that has changed; time_point::max():
  /// for never.
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

  /// What the alarm is set for; time_point::max(): nothing.
  time_point alarm() const { return alarm_; }
  /// It is set no more. To be followed by update().
  void alarm_rang() { alarm_ = time_point::max(); }

 private:
  cerebras_limiter& limiter_;
  std::unordered_map<ticket_id, Waiter> waiters_;
  std::unordered_map<ticket_id, ticket_event> early_;  // decided while nobody was waiting yet
  time_point alarm_ = time_point::max();
};

}  // namespace cooldown
