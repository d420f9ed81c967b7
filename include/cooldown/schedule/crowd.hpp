// Counts waiting tickets by client, so that no client fills the queue alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace cooldown {

/// Waiting tickets by client. When the queue is full, the client with the most loses one (as the longest queue does in
/// McKenney's stochastic fairness queueing). O(log n) per operation.
class crowd {
 public:
  using ticket_id = std::uint64_t;

  void add(std::uint64_t client, ticket_id id) {
    change(client, [&](auto& its) { its.insert(id); });
  }
  void remove(std::uint64_t client, ticket_id id) {
    change(client, [&](auto& its) { its.erase(id); });
  }

  /// The newest ticket of the client with the most tickets, provided that `client` would still have fewer with one
  /// more. nullopt: no ticket gives way.
  std::optional<ticket_id> gives_way_to(std::uint64_t client) const {
    if (by_number_.empty()) return std::nullopt;
    auto const [most, whose] = *by_number_.rbegin();
    auto const found = waiting_.find(client);
    auto const own = found == waiting_.end() ? 0 : found->second.size();
    if (own + 1 >= most) return std::nullopt;
    return *waiting_.at(whose).rbegin();
  }

 private:
  template <class Change>
  void change(std::uint64_t client, Change how) {
    auto& its = waiting_[client];
    by_number_.erase({its.size(), client});
    how(its);
    if (its.empty()) {
      waiting_.erase(client);
    } else {
      by_number_.insert({its.size(), client});
    }
  }

  std::unordered_map<std::uint64_t, std::set<ticket_id>> waiting_;
  std::set<std::pair<std::size_t, std::uint64_t>> by_number_;  // of tickets
};

}  // namespace cooldown
