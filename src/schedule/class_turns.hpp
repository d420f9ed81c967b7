// Decides which class of a queue is next, and what waiting classes save of the tokens that others use; shared by the
// queue and by the copy for forecasts. A class has `size`, `since`, `saved` and first_cost().
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "cooldown/time.hpp"

namespace cooldown::class_turns {

// The shares of the tokens that are saved for the least urgent waiting class, and for one that has waited for long.
constexpr double least_share = 0.05;
constexpr double aged_share = 0.1;

/// Class `to` has used tokens, or given them back (negative): the waiting classes below it save their share.
template <class Class, std::size_t n>
void share_out(std::array<Class, n>& classes, std::size_t to, double tokens, time_point now, duration ageing) {
  // Tokens spent beyond the savings were not saved, so giving them back does not add to the savings.
  if (tokens > 0) classes[to].saved = std::max(0.0, classes[to].saved - tokens);
  std::size_t last = n, aged = n;
  for (auto i = to + 1; i < n; ++i) {
    auto const& c = classes[i];
    if (c.size == 0) continue;
    last = i;
    bool const waits_long = ageing > duration::zero() && now - c.since >= ageing;
    if (waits_long && (aged == n || c.since < classes[aged].since)) aged = i;
  }
  for (auto i = to + 1; i < n; ++i) {
    double const part = i == aged ? aged_share : i == last ? least_share : 0;
    classes[i].saved = std::max(0.0, classes[i].saved + tokens * part / (1 - part));
  }
}

/// The class that gets the next release out of turn: the longest waiting of those that have waited long enough or have
/// saved the cost of their next ticket. nullptr: none.
template <class Classes>
auto overdue(Classes& classes, time_point now, duration ageing) -> decltype(classes.data()) {
  decltype(classes.data()) found = nullptr;
  bool in_turn = true;
  for (auto& c : classes) {
    if (c.size == 0) continue;
    bool const due = !in_turn && (now - c.since >= ageing || c.saved >= c.first_cost());
    if (due && (!found || c.since < found->since)) found = &c;
    in_turn = false;
  }
  return found;
}

/// The savings of classes less urgent than `c`, each at most the cost of its next ticket.
template <class Classes, class Class>
double kept_below(const Classes& classes, const Class& c) {
  double sum = 0;
  for (auto const* other = &c + 1; other <= &classes.back(); ++other)
    if (other->size > 0) sum += std::min(other->saved, other->first_cost());
  return sum;
}

}  // namespace cooldown::class_turns
