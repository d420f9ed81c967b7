// The tickets of one scope that wait for quota: who goes next.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/use_average.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

using ticket_id = std::uint64_t;

/// Urgencies of RFC 9218 §4.1: 0 goes first, 7 last.
constexpr std::size_t urgency_count = 8;

/// What decides a ticket's turn; it keeps it when the provider refuses it and it waits again, and so is next.
struct queue_place {
  std::uint64_t arrival = 0;  // unique
  std::uint64_t client = 0;
  std::uint64_t group = 0;  // of clients that have one share between them; 0: the client alone
  double weight = 1;
  std::uint8_t urgency = 3;
  time_point submitted;

  /// Whose share it is.
  std::uint64_t sharer() const { return group != 0 ? group : client; }
};

/// Classes by urgency, strictly, but bounded both ways. A class that waits saves tokens of what more urgent ones use:
/// the least urgent a twentieth of all, one that has waited for `ageing` without a release a tenth. A class that is
/// aged, or has saved what its next ticket costs, gets a release out of turn. Never two of those in a row: what is
/// urgent waits for one at the most. Savings are in tokens used, and last while the class waits or was served within a
/// minute.
///
/// Within a class, start-time fair queueing between clients (Goyal, Vin, Cheng 1996) by tokens used; within a client,
/// order of arrival. Tags belong to clients, not to tickets. A release charges its client what such a ticket is
/// expected to use, and its end corrects that by what it did use, up or down. A client that waits is never put further
/// behind the class's virtual time than by the most that one of its requests has used lately, and a client that comes
/// back starts at that time. Clients of a group, as the users of one credential, have one share between them: while
/// several of them wait each is charged as many times as much, and one that joins starts behind the one that joined
/// last, so that a new name for each request gains nothing. O(log n) per operation.
class request_queue {
 public:
  struct waiting {
    ticket_id id = 0;
    double cost = 0;
    time_point submitted;
  };
  struct head {
    ticket_id id = 0;
    double cost = 0;
    std::size_t rank = 0;  // its class
    std::uint64_t arrival = 0;
    time_point waits_since;  // its class: without a release
    double kept = 0;         // tokens that less urgent classes have saved
    bool paid = false;       // its class has saved what it costs
  };
  /// What goes before a ticket.
  struct backlog {
    double requests = 0;
    double tokens = 0;
  };

  void push(const queue_place& place, ticket_id id, double cost);

  /// It leaves without having gone.
  void erase(const queue_place& place);

  /// It goes. Returns what its client is charged for it: what its like use, as far as that is known.
  double release(const queue_place& place, time_point now, duration ageing = duration::zero());

  /// A ticket that went has used this much less than its client was charged (negative: more).
  void credit(const queue_place& place, double tokens);

  /// An answer to this client is over, `took` after its request went.
  void observe_answer(const queue_place& place, duration took);

  /// How long answers to this client last, on the average; zero: none is known to have ended.
  duration answer_time(const queue_place& place) const;

  /// Of what was reserved for a ticket of this client, so much was used. Charges nobody.
  void observe_use(const queue_place& place, double reserved, double used);

  /// The next ticket of every client, in the order in which they would go now, at most `most`. `ageing` zero: never.
  void heads(time_point now, duration ageing, std::size_t most, std::vector<head>& into) const;

  /// What will go before the ticket at `place`, which waits.
  backlog ahead_of(const queue_place& place, time_point now, duration ageing) const;

  /// When the ticket at `place` is due out of turn, however many come that are more urgent. nullopt: never, or there
  /// are none.
  std::optional<time_point> due_at(const queue_place& place, duration ageing) const;

  /// When a class is due out of turn next, after `now`.
  std::optional<time_point> next_due(time_point now, duration ageing) const;

  /// The first `most` tickets in the order in which they would go if no others came.
  std::vector<ticket_id> order(std::size_t most, time_point now, duration ageing) const;

  /// Calls `visit(id)`, which returns its cost, for all; costs are changed to that.
  template <class Visitor>
  void reprice(Visitor visit) {
    for (auto& c : classes_) {
      c.cost = 0;
      for (auto& [client, f] : c.flows) {
        f->cost = 0;
        for (auto& [arrival, t] : f->tickets) f->cost += t.cost = visit(t.id);
        c.cost += f->cost;
      }
    }
  }

  learned_shares save() const;
  /// What makes no sense is ignored. To be called before anybody asks.
  void restore(const learned_shares& s);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Clients that it knows of: those that wait, and a bounded number.
  std::size_t clients() const;
  double cost() const;

 private:
  struct group {
    std::size_t clients = 0;  // that are known
    std::size_t waiting = 0;  // of these
    std::uint64_t last = 0;   // the one that began to wait last
    double joined = 0;        // its start tag then
  };
  struct flow {
    double weight = 1;
    group* of = nullptr;  // null: not known before it waits
    double tag = 0;       // start tag of its next ticket
    double cost = 0;
    use_average use;
    duration answer_time{};                    // a slow average; zero: none has ended
    std::map<std::uint64_t, waiting> tickets;  // by arrival
  };
  struct turn {
    double tag;
    std::uint64_t arrival;
    flow* whose;
    auto operator<=>(const turn&) const = default;
  };
  struct urgency_class {
    double virtual_time = 0;  // the start tag that was next when one went last
    time_point since{};       // when the last went, or it began to wait
    double saved = 0;         // tokens of what more urgent ones have used
    double cost = 0;
    std::size_t size = 0;
    std::set<turn> turns;  // of the clients that wait
    std::unordered_map<std::uint64_t, std::unique_ptr<flow>> flows;
    std::unordered_map<std::uint64_t, std::unique_ptr<group>> groups;
    double first_cost() const { return turns.begin()->whose->tickets.begin()->second.cost; }
  };
  friend class queue_preview;

  static turn turn_of(flow& f) { return {f.tag, f.tickets.begin()->first, &f}; }
  urgency_class& class_of(const queue_place& p) { return classes_[p.urgency < urgency_count ? p.urgency : 7]; }
  const urgency_class& class_of(const queue_place& p) const {
    return classes_[p.urgency < urgency_count ? p.urgency : 7];
  }
  /// nullptr: nothing is known of the client.
  flow* known(const queue_place& place) const {
    auto const& flows = class_of(place).flows;
    auto const found = flows.find(place.client);
    return found == flows.end() ? nullptr : found->second.get();
  }
  double take_out(urgency_class& c, flow& f, const queue_place& place);
  static double weight_of(const flow& f) {
    return f.of ? f.weight / static_cast<double>(std::max<std::size_t>(1, f.of->waiting)) : f.weight;
  }
  void join(const urgency_class& c, flow& f, const queue_place& place, double cost) const;
  double use_share_of(const flow& f) const;
  double expected_use(const flow& f, double cost) const;
  void share_out(urgency_class& to, double tokens, time_point now, duration ageing);
  const urgency_class* overdue(time_point now, duration ageing) const;
  backlog ahead_in_class(const urgency_class& c, const queue_place& place) const;
  static void forget_idle(urgency_class& c);

  std::array<urgency_class, urgency_count> classes_;
  use_average use_;  // of all clients
  std::size_t size_ = 0;
  bool out_of_turn_ = false;  // the last that went passed more urgent ones
};

}  // namespace cooldown
