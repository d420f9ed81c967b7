// What the limiter has learned, kept over a restart.
#include <algorithm>
#include <cmath>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "limiter_parts.hpp"

namespace cooldown {
namespace {

// A clock that is set back by more has lost the moment of saving.
constexpr duration set_back = std::chrono::minutes{1};

constexpr std::size_t longest_name = 1'024;

}  // namespace

learned_state cerebras_limiter::save(time_point now, wall_time wall) {
  learned_state state{.saved_at = wall, .scopes = {}};
  for (auto& [key, s] : scopes_)
    state.scopes.push_back({.model = s->model,
                            .credential = s->credential,
                            .last_used = now - s->last_used,
                            .last_refusal = age_of(s->last_refusal, now),
                            .succeeded = s->succeeded,
                            .clock = s->clock.save(wall, now),
                            .costs = s->costs.save(now),
                            .shares = s->queue.save(),
                            .quota = s->limits.save(now)});
  std::sort(state.scopes.begin(), state.scopes.end(),
            [](auto const& a, auto const& b) { return a.last_used < b.last_used; });
  return state;
}

void cerebras_limiter::restore(const learned_state& state, time_point now, wall_time wall) {
  if (state.saved_at > wall + set_back || state.saved_at < wall - oldest_age) return;
  auto const saved = now - std::max<duration>(wall - state.saved_at, duration::zero());
  for (auto const& each : state.scopes) {
    learned_reader read(saved);
    auto const used = read.past(each.last_used);
    auto const refusal = read.past(each.last_refusal);
    bool const named = !each.model.empty() && each.model.size() <= longest_name;
    if (!read.sane() || !named || scopes_.size() >= settings_.max_scopes) continue;
    scope_name const name{each.credential, each.model};
    if (find(name) != nullptr) continue;  // it has been heard of since, and knows better
    auto& s = scope_of(name, now);
    s.last_used = used;
    rest(s);
    s.last_refusal = refusal;
    s.succeeded = each.succeeded;
    if (s.succeeded) succeeded_.insert({s.credential, &s});
    s.clock.restore(each.clock, wall, now);
    s.costs.restore(each.costs, saved);
    s.queue.restore(each.shares);
    s.limits.align(s.clock.offset());
    s.limits.restore(each.quota, saved);
  }
}

}  // namespace cooldown
