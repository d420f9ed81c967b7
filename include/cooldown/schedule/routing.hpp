// Which destination a request is sent to, if several may serve it: an account of an upstream, with a limiter of its
// own. Pure: forecasts come in, a choice goes out.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "cooldown/time.hpp"

namespace cooldown {

struct routing_rules {
  std::optional<duration> spill_after = std::chrono::seconds{20};  // longest wait at the preferred upstream
  duration min_gain = std::chrono::seconds{2};  // how much shorter a wait has to be at another upstream
  bool next_on_failure = true;                  // what is not usable, or would reject the request, is skipped
};

/// What a destination offers for one request.
struct offer {
  std::size_t upstream = 0;      // accounts of one upstream have the same number
  bool usable = true;            // false: its breaker is open, its key is set aside, or it has just failed the request
  std::optional<duration> wait;  // from now to its release there; zero: at once; nullopt: it would be rejected
  time_point last_used{};        // its most recent release of any request
};

struct request_to_route {
  /// Of all destinations that serve its model, in the order of preference. At least one.
  std::span<const offer> offers;
  std::optional<std::size_t> waits_at{};   // index of its present destination; nullopt: it arrives now
  duration waited{};                       // since its arrival
  std::optional<std::size_t> cached_at{};  // index of the destination that has its prefix in a cache; nullopt: unknown
};

struct route {
  std::size_t to;  // index of an offer
  /// When to ask again, if the request still waits then. It also asks when its destination fails. nullopt: no other
  /// destination serves it, or it is sent at once.
  std::optional<duration> ask_again;
};

/// The preferred upstream within `spill_after`, or else the one that is ready first; among the accounts of an upstream
/// the one that is ready first. A request that waits moves only if it gains enough by that.
route choose(const routing_rules& rules, const request_to_route& request);

}  // namespace cooldown
