// The tickets of one scope that wait for quota, and their order.
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

/// Urgencies of RFC 9218 §4.1: 0 is the most urgent, 7 the least.
constexpr std::size_t urgency_count = 8;

/// What decides a ticket's turn. A ticket that the provider refuses keeps it, and so is next.
struct queue_place {
  std::uint64_t arrival = 0;  // unique
  std::uint64_t client = 0;
  std::uint64_t group = 0;  // clients of a group have one share between them; 0: the client alone
  double weight = 1;
  std::uint8_t urgency = 3;
  time_point submitted;

  /// The client or group whose share it is.
  std::uint64_t sharer() const { return group != 0 ? group : client; }
};

/// Classes by urgency are strict, but bounded both ways. A waiting class saves tokens of what more urgent classes use:
/// the least urgent class a twentieth of all tokens, a class that has waited for `ageing` without a release a tenth. A
/// class that has waited that long, or has saved the cost of its next ticket, gets a release out of turn; two of those
/// never follow each other, so that urgent tickets wait for at most one. Savings count tokens used, and are kept while
/// the class waits or was served within a minute.
///
/// Within a class: start-time fair queueing between clients (Goyal, Vin, Cheng 1996) by tokens used; within a client:
/// order of arrival. Tags belong to clients, not to tickets. A release charges its client the expected use of such a
/// ticket, and the end corrects that by the actual use. A waiting client is never put further behind the class's
/// virtual time than the most that one of its requests has used lately; a client that comes back starts at that time.
/// Clients of a group (for example the users of one credential) have one share: while several of them wait, each is
/// charged that many times as much, and one that joins starts behind the one that joined last, so that a new name for
/// each request gains nothing. O(log n) per operation.
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
    time_point waits_since;  // since when its class has had no release
    double kept = 0;         // tokens that less urgent classes have saved
    bool paid = false;       // its class has saved what it costs
  };
  /// What is released before a ticket.
  struct backlog {
    double requests = 0;
    double tokens = 0;
  };

  void push(const queue_place& place, ticket_id id, double cost);

  /// Removes a ticket that was not released.
  void erase(const queue_place& place);

  /// Releases a ticket. Returns the tokens that its client is charged: the expected use of such a ticket, as far as it
  /// is known.
  double release(const queue_place& place, time_point now, duration ageing = duration::zero());

  /// A released ticket used this much less than its client was charged (negative: more).
  void credit(const queue_place& place, double tokens);

  /// An answer to this client has ended, `took` after its request was sent.
  void observe_answer(const queue_place& place, duration took);

  /// The average duration of answers to this client; zero: unknown.
  duration answer_time(const queue_place& place) const;

  /// A ticket of this client used `used` of its `reserved` tokens. Changes only expectations, no charges.
  void observe_use(const queue_place& place, double reserved, double used);

  /// The next ticket of every client, in the order of release now, at most `most`. `ageing` zero: never.
  void heads(time_point now, duration ageing, std::size_t most, std::vector<head>& into) const;

  /// What will be released before the waiting ticket at `place`.
  backlog ahead_of(const queue_place& place, time_point now, duration ageing) const;

  /// When the ticket at `place` is due out of turn, however many more urgent ones arrive. nullopt: never, or there are
  /// no more urgent ones.
  std::optional<time_point> due_at(const queue_place& place, duration ageing) const;

  /// When a class is due out of turn next, after `now`.
  std::optional<time_point> next_due(time_point now, duration ageing) const;

  /// The first `most` tickets in the order of release if no others arrive.
  std::vector<ticket_id> order(std::size_t most, time_point now, duration ageing) const;

  /// Sets the cost of every ticket to `visit(id)`.
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
  /// Invalid parts are ignored. To be called before any other function.
  void restore(const learned_shares& s);

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Number of known clients: those that wait, and a bounded number of others.
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
    double virtual_time = 0;  // start tag of the last release
    time_point since{};       // when it was last released from, or began to wait
    double saved = 0;         // tokens saved of what more urgent classes have used
    double cost = 0;
    std::size_t size = 0;
    std::set<turn> turns;  // of waiting clients
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
  /// nullptr: the client is unknown.
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
  bool out_of_turn_ = false;  // the last release passed more urgent tickets
};

}  // namespace cooldown
