// The tickets of one scope that wait for quota, in the order in which they will go.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace cooldown {

using ticket_id = std::uint64_t;

/// Where a ticket stands. A ticket that the provider refused comes back under its old key, and so to the front.
struct queue_key {
  std::uint64_t arrival = 0;
  auto operator<=>(const queue_key&) const = default;
};

/// O(log n) per operation.
class request_queue {
 public:
  void push(queue_key key, ticket_id id, double cost);
  void erase(queue_key key, ticket_id id, double cost);

  /// The cost of a waiting ticket has changed by `difference`.
  void adjust(double difference) { cost_ += difference; }

  /// Calls `visit(id)` for all, in order.
  template <class Visitor>
  void for_each(Visitor visit) const {
    for (auto const& e : entries_) visit(e.id);
  }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  double cost() const { return cost_; }  // tokens of all that wait
  ticket_id front() const { return entries_.begin()->id; }
  queue_key front_key() const { return entries_.begin()->key; }

 private:
  struct entry {
    queue_key key;
    ticket_id id;
    auto operator<=>(const entry&) const = default;
  };
  std::set<entry> entries_;
  double cost_ = 0;
};

}  // namespace cooldown
