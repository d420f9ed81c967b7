// Who has how many tickets waiting, so that nobody fills the queue alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace cooldown {

/// Tickets that wait, by the client that they belong to. When the queue is full, the client with the most gives way (as
/// the longest queue does in McKenney's stochastic fairness queueing). O(log n) per operation.
class crowd {
 public:
  using ticket_id = std::uint64_t;

  void add(std::uint64_t client, ticket_id id) {
    change(client, [&](auto& its) { its.insert(id); });
  }
  void remove(std::uint64_t client, ticket_id id) {
    change(client, [&](auto& its) { its.erase(id); });
  }

  /// The youngest ticket of the client that has the most, if a newcomer of `client` still has fewer than that one then.
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
