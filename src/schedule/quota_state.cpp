// All limits of a scope, kept over a restart.
#include <algorithm>
#include <cmath>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {
namespace {

constexpr double most_units = 1e15;
constexpr double most_factor = 1'000;
constexpr duration longest_care = std::chrono::minutes{10};

}  // namespace

learned_quota quota::save(time_point now) {
  learned_quota s;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    if (!budgets_[slot]) continue;
    s.limits.push_back(budgets_[slot]->save(now));
    s.limits.back().id = ids_[slot];
  }
  s.requests = requests_.parts(now);
  s.tokens = tokens_.parts(now);
  std::transform(totals_.begin(), totals_.end(), s.totals.begin(), [&](const total_bucket& t) {
    return learned_total{.factor = t.factor, .last_share = t.last_share, .proven_at = age_of(t.proven_at, now)};
  });
  s.proven_requests = proven_requests_;
  s.answered = answered_;
  s.last_update = age_of(last_update_, now);
  s.careful_until = age_of(careful_until_, now);
  s.pacing = pacing_.save(now);
  s.concurrency = concurrency_.save(now);
  return s;
}

void quota::restore(const learned_quota& s, time_point saved) {
  learned_reader read(saved);
  auto totals = totals_;
  std::transform(s.totals.begin(), s.totals.end(), totals.begin(), [&](const learned_total& t) {
    return total_bucket{.factor = read.number(t.factor, 0, most_factor),
                        .last_share = read.number(t.last_share, 0, most_units),
                        .proven_at = read.past(t.proven_at)};
  });
  double const proven = read.number(s.proven_requests, 0, most_units);
  auto const update = read.perhaps(s.last_update, {});
  auto const careful = read.moment(s.careful_until, longest_care);
  if (!read.sane()) return;
  totals_ = totals;
  proven_requests_ = proven;
  last_update_ = update;
  careful_until_ = careful;
  answered_ = s.answered;
  pacing_.restore(s.pacing, saved);
  concurrency_.restore(s.concurrency, saved);
  requests_.restore(s.requests, saved);
  tokens_.restore(s.tokens, saved);
  for (auto const& each : s.limits) restore_limit(each, saved);
}

/// What was configured and is no more is not kept, and what was a guess gives way to what is configured.
void quota::restore_limit(const learned_limit& s, time_point saved) {
  auto const known = find(s.id);
  if (known == nullptr && !s.reported && !s.hidden.guessed) return;
  if (known != nullptr && !s.reported && s.hidden.guessed != known->is_guess()) return;
  auto const slot = slot_for(s.id);
  if (slot == most_limits) return;
  auto& b = budgets_[slot];
  bool const made = !b;
  if (made) make_budget(slot, 1, refill::continuous, saved);
  if (!b->restore(s, saved) && made) b.reset();
}

}  // namespace cooldown
