// What a limiter's forecast offers to a request that is to be routed.
#pragma once

#include <algorithm>
#include <optional>
#include <variant>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/schedule/routing.hpp"

namespace cooldown {

/// nullopt: nobody knows, because it is paused.
inline std::optional<duration> wait_of(const standing& plan, time_point now) {
  if (plan.held_by == constraint::paused) return std::nullopt;
  return std::max(duration::zero(), plan.expected - now);
}

/// offer::wait of a request that does not wait at this limiter.
inline std::optional<duration> wait_at(cerebras_limiter& limiter, const ticket_facts& facts, time_point now) {
  auto const seen = limiter.foresee(facts, now);
  auto const* const plan = std::get_if<standing>(&seen);
  return plan ? wait_of(*plan, now) : std::nullopt;
}

/// offer::wait of a ticket that waits at this limiter.
inline std::optional<duration> wait_at(const cerebras_limiter& limiter, ticket_id id, time_point now) {
  auto const plan = limiter.standing_of(id, now);
  return plan ? wait_of(*plan, now) : std::nullopt;
}

}  // namespace cooldown
