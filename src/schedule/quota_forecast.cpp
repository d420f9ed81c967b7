// A scope's quota, run ahead: what it is expected to admit when.
#include <algorithm>

#include "cooldown/schedule/cost_estimator.hpp"
#include "cooldown/schedule/quota.hpp"

namespace cooldown {
namespace {

// So many answers are awaited one by one, the oldest first; the others for one.
constexpr std::size_t most_awaited = 128;

}  // namespace

void quota::await_answers(run_ahead& r, const cost_estimator& costs, time_point now) const {
  auto lasts = concurrency_.answer_time();
  // The first answers last at least as long as they have.
  if (lasts == duration::zero() && !reservations_.empty()) lasts = now - reservations_.begin()->second.taken;
  r.answers_last(lasts);
  std::size_t n = 0;
  run_ahead::cost others{.reserved = reserved_};
  for (auto const& [id, each] : reservations_) {
    if (n++ == most_awaited) break;
    auto const& [tokens, input] = each.cost;
    r.under_way(1, {tokens, costs.expected_use(tokens, input), 0, each.lasts, input}, each.taken);
    others.reserved -= tokens;
  }
  if (n <= most_awaited) return;
  others.used = others.reserved * costs.use_share();
  r.under_way(static_cast<double>(reservations_.size() - most_awaited), others, now);
}

run_ahead quota::ahead(const cost_estimator& costs, time_point now) {
  run_ahead r(now);
  await_answers(r, costs, now);
  r.opens_at(pacing_.opens_at(now));
  r.space_out(pacing_.spacing());
  if (auto const most = concurrency_.limit(now)) r.bound(*most);
  // Before the first answer the configured limits are a guess, and refuse nobody.
  if (settings_.use_headers && !answered_) return r;
  bool const dynamic = decides(now) == basis::headers;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    if (!counts(slot, dynamic, now)) continue;
    auto& b = *budgets_[slot];
    if (counts_requests(slot)) {
      r.counts_requests(b.ahead(now));
    } else {
      r.counts_tokens(b.ahead(now), ids_[slot].counts, slot == tpm_slot);
    }
  }
  if (dynamic || (settings_.use_headers && !settings_.header_fallback)) return r;
  r.counts_requests(requests_.ahead(now));
  r.counts_tokens(tokens_.ahead(now));
  return r;
}

}  // namespace cooldown
