// Positions of tickets that ended while they waited, kept for requests that come back.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "cooldown/time.hpp"

namespace cooldown {

/// Arrival numbers of tickets that disconnected or were rejected while they waited. If the same client repeats the
/// request soon, it resumes the old position. Each arrival is taken over once, the oldest first. Bounded: the oldest
/// entries are dropped first. O(log n) per operation.
class arrivals {
 public:
  /// Identifies a request.
  struct request {
    std::uint64_t credential = 0;  // towards the provider
    std::uint64_t client = 0;
    std::uint64_t body = 0;  // hash; 0: unknown, matches nothing
    auto operator<=>(const request&) const = default;
  };

  /// How long clients that time out and retry may take to come back.
  static constexpr duration lifetime = std::chrono::minutes{2};
  static constexpr std::size_t most = 16'384;

  /// The ticket with this arrival number ended while it waited.
  void keep(const request& of, std::uint64_t arrival, time_point now);

  /// Takes the arrival number kept for the request, and removes it. nullopt: none.
  std::optional<std::uint64_t> take(const request& of, time_point now);

  std::size_t size() const { return kept_.size(); }

 private:
  using key = std::pair<request, std::uint64_t>;
  void forget_oldest();

  std::map<key, time_point> kept_;                // until when
  std::deque<std::pair<time_point, key>> order_;  // by end of lifetime; may contain entries already removed from kept_
};

}  // namespace cooldown
