#include "cooldown/schedule/quota.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cooldown {
namespace {

// Beyond what has been admitted within a minute before, and this share of what the configuration allows, a limit that
// no header reports may turn out lower with every request: so few may be without any answer at a time. A refusal comes
// faster than an answer, so one that has been quiet for `reordering` is taken for admitted.
constexpr double trusted_share = 0.15;
constexpr unsigned most_unproven = 4;

}  // namespace

quota::quota(const quota_settings& settings, time_point now)
    : settings_(settings),
      requests_(settings.rpm_limit, std::chrono::minutes{1}),
      tokens_(settings.tpm_limit, std::chrono::minutes{1}),
      crowd_(1e9, reordering) {
  configure(settings, now);
}

budget_settings quota::budget_options() const {
  return {.reset_buffer = settings_.reset_buffer,
          .header_timeout = settings_.header_timeout,
          .pinned = settings_.replenishment};
}

void quota::configure(const quota_settings& settings, time_point now) {
  settings_ = settings;
  requests_.set_limit(settings.limits.of(ids_[rpm_slot]).value_or(settings.rpm_limit));
  tokens_.set_limit(settings.limits.of(ids_[tpm_slot]).value_or(settings.tpm_limit));
  for (auto& b : budgets_)
    if (b) b->configure(budget_options());
  create_configured(now);
}

void quota::align(duration wall_offset) {
  wall_offset_ = wall_offset;
  for (auto& b : budgets_)
    if (b) b->align(wall_offset);
}

/// What headers may never report follows the configuration: requests a minute, on most accounts, and what is configured
/// of hours and days. Tokens a minute wait for the first header.
void quota::create_configured(time_point now) {
  auto const configure_one = [&](std::size_t slot, double limit) -> budget* {
    auto& b = budgets_[slot];
    if (b && b->reported()) return nullptr;
    if (!b) return &make_budget(slot, limit, refill::continuous, now);
    b->set_limit(limit);
    return nullptr;
  };
  auto* const made = configure_one(rpm_slot, requests_.limit());
  if (made && !settings_.header_fallback) made->guessed();
  for (auto const& [id, limit] : settings_.limits.limit)
    if (auto const slot = slot_for(id); slot > tpm_slot && slot < most_limits) configure_one(slot, limit);
  // What is configured no more; what a refusal has named was not the configuration's.
  for (std::size_t slot = tpm_slot + 1; slot < budgets_.size(); ++slot)
    if (auto& b = budgets_[slot]; b && !b->reported() && !b->is_guess() && !settings_.limits.of(ids_[slot])) b.reset();
}

bool quota::is_at_a_loss(time_point now) {
  auto& b = budgets_[tpm_slot];
  return pacing_.rounds() > trusted_rounds && b && b->shown() && b->used(now) <= 0;
}

bool quota::is_shared() const {
  return std::ranges::any_of(budgets_, [](auto const& b) { return b && b->drift() > 0; });
}

basis quota::decides(time_point now) const {
  return settings_.use_headers && last_update_ && now - *last_update_ <= snapshot_lifetime ? basis::headers
                                                                                           : basis::fallback;
}

/// Without headers. Before the provider's first answer nothing is known for sure: the first request goes at once to
/// learn from, and what does not fit the configured limits waits for that answer, at most header_timeout.
readiness quota::static_ready(const token_cost& cost, duration waited, time_point now, const set_aside& aside) {
  readiness fits{.at = now};
  if (settings_.use_headers && !settings_.header_fallback) return fits;
  if (!shows_shorter(resource::requests, now))
    fits.wait_for(requests_.ready_at(1 + aside.requests, now), constraint_of(ids_[rpm_slot]));
  fits.wait_for(tokens_.ready_at(cost.tokens + aside.tokens.tokens, now), constraint_of(ids_[tpm_slot]));
  if (!settings_.use_headers || answered_) return fits;
  if (reservations_.empty()) return {.at = now};
  readiness probe{.at = now};
  probe.wait_for(std::max(now - waited, last_probe_) + settings_.header_timeout, constraint::first_answers);
  return probe.at < fits.at ? probe : fits;
}

/// Headers show a limit over less than a minute: then the configured one of a minute is only a default.
bool quota::shows_shorter(resource counted, time_point now) const {
  for (std::size_t slot = tpm_slot + 1; slot < budgets_.size(); ++slot)
    if (auto const& b = budgets_[slot]; b && ids_[slot].counts == counted && ids_[slot].over < window::minute)
      if (b->shown() && now - b->told_at() <= snapshot_lifetime) return true;
  return false;
}

/// A long window that is known to be used up still is, however old the snapshot, and what a header said lately holds
/// even where others were missing.
bool quota::counts(std::size_t slot, bool dynamic, time_point now) const {
  if (slot == most_limits) return false;
  auto const& b = budgets_[slot];
  if (!b || !b->binds()) return false;
  if (slot == rpm_slot && !b->reported() && !b->learned() && shows_shorter(resource::requests, now)) return false;
  if (dynamic) return true;
  // Two have static windows, which a refusal has not taught anything.
  if (!b->reported()) return b->learned() || (slot != rpm_slot && slot != tpm_slot);
  return now - b->told_at() <= snapshot_lifetime || ids_[slot].over > window::minute || b->only_refusals_show();
}

/// Not too many into the dark at once: before the first answer of all, when the quota may be spent already, and where a
/// limit that no header reports might be met.
time_point quota::unproven_ready_at(time_point now) {
  if (!settings_.use_headers || (!answered_ && !settings_.header_fallback)) return now;
  bool const tried = std::ranges::any_of(budgets_, [](auto const& b) { return b && !b->reported() && b->is_tried(); });
  if (answered_ && !tried) {
    auto& rpm = budgets_[rpm_slot];
    if (!rpm || rpm->reported() || rpm->learned() || shows_shorter(resource::requests, now)) return now;
    if (rpm->used(now) < std::max(proven_requests_, trusted_share * rpm->limit())) return now;
  }
  unsigned quiet = 0;
  for (auto i = reservations_.rbegin(); i != reservations_.rend() && i->second.taken + reordering > now; ++i)
    if (!i->second.answered && ++quiet == most_unproven) return i->second.taken + reordering;
  return now;
}

/// What has to be left there for less urgent requests beside `n`. They save tokens of a minute.
double quota::saved_in(std::size_t slot, double n, double kept) const {
  auto const& b = *budgets_[slot];
  return slot == tpm_slot ? most_saved(b.model(), b.capacity(), n, kept) : 0;
}

readiness quota::ready(const token_cost& cost, duration waited, time_point now, const set_aside& aside) {
  bool const passed = aside.requests > 0;
  auto r = pacing_.ready(unanswered_ > 0, passed, now);
  r.wait_for(slot_ready_at(aside.requests, now), constraint::concurrency);
  bool const dynamic = decides(now) == basis::headers;
  bool forbidden = false;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    if (!counts(slot, dynamic, now)) continue;
    double const n = amount(slot, cost);
    double const taken = aside.tokens.of(ids_[slot].counts, aside.requests);
    r.wait_for(budgets_[slot]->ready_at(n, now, taken + saved_in(slot, n, aside.kept)), constraint_of(ids_[slot]));
    forbidden = forbidden || budgets_[slot]->forbids(n, now);
  }
  if (!dynamic) {
    auto const fixed = static_ready(cost, waited, now, aside);
    r.wait_for(fixed.at, fixed.by);
  }
  r.wait_for(unproven_ready_at(now), constraint::first_answers);
  if (!passed && !forbidden) r.at = std::min(r.at, std::max(now, pacing_.probe_at()));
  return r;
}

/// An answer that ends makes room for the next, and nobody knows when; asked as if something else went now: when it is
/// expected to.
time_point quota::slot_ready_at(double passed, time_point now) const {
  auto const limit = concurrency_.limit(now);
  bool const full = limit && reservations_.size() >= *limit;
  return full && passed == 0 ? time_point::max() : concurrency_.forecast(reservations_.size(), passed, now);
}

std::optional<double> quota::known_token_limit(time_point now) const {
  std::optional<double> lowest;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto const& b = budgets_[slot]; b && counts_all_tokens(slot) && ids_[slot].over >= window::minute &&
                                        b->reported() && now - b->told_at() <= snapshot_lifetime &&
                                        counts(slot, true, now))
      lowest = std::min(lowest.value_or(b->capacity()), b->capacity());
  return lowest;
}

double quota::believable(double tokens, double cost, time_point now) const {
  return std::min(tokens, std::max(cost, known_token_limit(now).value_or(tokens_.limit())));
}

time_point quota::full_at(time_point now) {
  auto at = std::max(
      {pacing_.opens_at(now), requests_.ready_at(requests_.limit(), now), tokens_.ready_at(tokens_.limit(), now)});
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    auto& b = budgets_[slot];
    double const missing = b ? b->limit() - b->level(now) : 0;
    if (missing <= 0) continue;
    auto const length = ids_[slot].over.length();
    bool const flows = b->model() == refill::continuous;
    at = std::max(at, flows ? now + duration_of_seconds(seconds_of(length) * missing / b->limit())
                            : b->next_reset().value_or(now + length));
  }
  return at;
}

/// most_limits: none.
std::size_t quota::find_slot(limit_id id) const {
  auto const found = std::ranges::find(ids_, id);
  return found == ids_.end() ? most_limits : static_cast<std::size_t>(found - ids_.begin());
}

/// A slot without a budget, if there is none yet. most_limits: there are too many others.
std::size_t quota::slot_for(limit_id id) {
  if (auto const known = find_slot(id); known < most_limits) return known;
  std::size_t slot = tpm_slot + 1;
  while (slot < budgets_.size() && budgets_[slot]) ++slot;
  if (slot == most_limits) return most_limits;
  if (slot == budgets_.size()) {
    ids_.push_back(id);
    budgets_.emplace_back();
  }
  ids_[slot] = id;
  for (auto& [number, r] : reservations_) r.marks[slot] = {};
  return slot;
}

const budget* quota::find(limit_id id) const {
  auto const slot = find_slot(id);
  return slot < most_limits && budgets_[slot] ? &*budgets_[slot] : nullptr;
}

std::vector<limit_id> quota::limits() const {
  std::vector<limit_id> known;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (budgets_[slot]) known.push_back(ids_[slot]);
  std::ranges::sort(known);
  return known;
}

std::size_t quota::entries() const {
  return std::accumulate(budgets_.begin(), budgets_.end(), reservations_.size(),
                         [](std::size_t sum, auto const& b) { return sum + (b ? b->entries() : 0); });
}

double quota::level(resource r, window w, time_point now) {
  auto slot = find_slot({r, w});
  if (r == resource::tokens && !counts(slot, true, now)) slot = find_slot({resource::total_tokens, w});
  return slot < most_limits && budgets_[slot] ? budgets_[slot]->level(now) : 0;
}

budget& quota::make_budget(std::size_t slot, double limit, refill model, time_point now) {
  auto& b = budgets_[slot].emplace(limit, ids_[slot].over.length(), model, now, budget_options());
  b.align(wall_offset_);
  return b;
}

}  // namespace cooldown
