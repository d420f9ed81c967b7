// Which limit counts at the moment, for those who look on: it decides nothing.
#include <algorithm>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {

std::optional<binding_limit> quota::binding(const token_cost& cost, time_point now) {
  std::optional<binding_limit> found;
  auto latest = now;
  auto const consider = [&](std::size_t slot, double limit, double level, time_point ready) {
    auto const share = [](const binding_limit& b) { return b.level / std::max(1.0, b.limit); };
    binding_limit const candidate{.id = ids_[slot], .limit = limit, .level = std::max(0.0, level)};
    bool const binds_more = ready > latest || (ready == latest && found && share(candidate) < share(*found));
    if (found && !binds_more) return;
    found = candidate;
    latest = std::max(latest, ready);
  };
  bool const dynamic = decides(now) == basis::headers;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (counts(slot, dynamic, now)) {
      auto& b = *budgets_[slot];
      consider(slot, b.limit(), b.level(now), b.ready_at(amount(slot, cost), now));
    }
  if (dynamic || (settings_.use_headers && !settings_.header_fallback)) return found;
  auto const consider_static = [&](std::size_t slot, sliding_window& w) {
    consider(slot, w.limit(), w.limit() - w.used(now), w.ready_at(amount(slot, cost), now));
  };
  consider_static(rpm_slot, requests_);
  consider_static(tpm_slot, tokens_);
  return found;
}

}  // namespace cooldown
