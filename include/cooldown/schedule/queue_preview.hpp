// The waiting tickets of a queue, one at a time, in the order of release if no others arrive.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "cooldown/schedule/request_queue.hpp"

namespace cooldown {

/// A copy of what decides turns, to run ahead on. Valid while the queue does not change.
class queue_preview {
 public:
  /// Returns at most `most` tickets, and copies no more of the queue than that takes.
  queue_preview(const request_queue& of, std::size_t most, duration ageing);

  struct entry {
    ticket_id id;
    double cost;
    double charged;  // what its client would be charged
    double kept;     // tokens that less urgent classes have saved, and that stay unspent
    duration lasts;  // average duration of answers to its client; zero: unknown
  };
  /// The next ticket that would be released at `now`, which must not run backwards. `wait(cost, kept)` returns how long
  /// a ticket would have to wait from then on.
  template <class Wait>
  std::optional<entry> next(time_point now, Wait wait) {
    auto* const first = in_turn();
    if (first == nullptr) return std::nullopt;
    auto* const due = overdue(now);
    // As in the limiter: more urgent tickets pass one out of turn that has not saved its cost and still has to wait.
    bool const yields = due && due->saved < due->first_cost() &&
                        wait(due->first_cost(), 0) > ageing_ / longest_hold_up &&
                        wait(first->first_cost(), kept_below(*first)) <= duration::zero();
    return take(due && !yields ? *due : *first, now);
  }
  std::optional<entry> next(time_point now) {
    return next(now, [](double, double) { return duration::zero(); });
  }

  /// A ticket out of turn that still has to wait holds up more urgent ones for at most this part of `ageing`.
  static constexpr int longest_hold_up = 20;

 private:
  struct turn {
    double tag;
    std::uint64_t arrival;
    const request_queue::flow* whose;
    std::map<std::uint64_t, request_queue::waiting>::const_iterator at;
    bool operator<(const turn& o) const { return std::pair(tag, arrival) > std::pair(o.tag, o.arrival); }
  };
  struct urgency_class {
    std::size_t size = 0;
    time_point since;
    double saved = 0;
    std::vector<turn> turns;  // a heap: its top is the next
    double first_cost() const { return turns.front().at->second.cost; }
  };

  urgency_class* in_turn();
  urgency_class* overdue(time_point now);
  double kept_below(const urgency_class& c) const;
  entry take(urgency_class& c, time_point now);

  const request_queue& queue_;
  std::size_t left_;
  duration ageing_;
  bool out_of_turn_;
  std::array<urgency_class, urgency_count> classes_;
};

}  // namespace cooldown
