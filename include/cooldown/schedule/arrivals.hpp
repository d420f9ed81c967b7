// Where tickets stood that ended while they waited, for requests that come back.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "cooldown/time.hpp"

namespace cooldown {

/// Arrivals of tickets that disconnected or were rejected while they waited: the same request of the same client that
/// comes back soon goes where it stood. Each is taken over once, the oldest first. Bounded: the first kept are the
/// first forgotten. O(log n) per operation.
class arrivals {
 public:
  /// Whose request it is, and which.
  struct request {
    std::uint64_t credential = 0;  // towards the provider
    std::uint64_t client = 0;
    std::uint64_t body = 0;  // hash; 0: unknown, which is like no other
    auto operator<=>(const request&) const = default;
  };

  /// How long the clients of a busy queue, which time out and repeat, may take to come back.
  static constexpr duration lifetime = std::chrono::minutes{2};
  static constexpr std::size_t most = 16'384;

  /// The ticket of `arrival` has ended while it waited.
  void keep(const request& of, std::uint64_t arrival, time_point now);

  /// The arrival that a request of `of` takes over, which nobody else gets then. nullopt: none.
  std::optional<std::uint64_t> take(const request& of, time_point now);

  std::size_t size() const { return kept_.size(); }

 private:
  using key = std::pair<request, std::uint64_t>;
  void forget_oldest();

  std::map<key, time_point> kept_;                // until when
  std::deque<std::pair<time_point, key>> order_;  // as they end; some are gone from kept_
};

}  // namespace cooldown
