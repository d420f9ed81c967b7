#include "cooldown/core/quota.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// Requests sent this close together may reach the provider in another order: one may still be in its TLS handshake.
constexpr duration reordering = std::chrono::milliseconds{250};

// After a refusal, how long a probe may stay unanswered before the next one goes: a refusal comes faster than an
// answer.
constexpr duration probe_spacing = std::chrono::milliseconds{500};

// Refusals in a row that the learned model may explain; beyond, the provider's retry-after is obeyed.
constexpr unsigned trusted_attempts = 4;

duration backoff(unsigned attempt) {
  return std::chrono::milliseconds{500} * (1U << std::min(attempt, 6U));
}

}  // namespace

quota::quota(const quota_settings& settings, time_point)
    : settings_(settings),
      requests_(settings.rpm_limit, std::chrono::minutes{1}),
      tokens_(settings.tpm_limit, std::chrono::minutes{1}) {}

budget_settings quota::budget_options() const {
  return {.reset_buffer = settings_.reset_buffer, .header_timeout = settings_.header_timeout};
}

void quota::configure(const quota_settings& settings, time_point now) {
  settings_ = settings;
  requests_.set_limit(settings.rpm_limit);
  tokens_.set_limit(settings.tpm_limit);
  for (auto& b : budgets_)
    if (b) b->configure(budget_options());
  auto& rpm = budgets_[slot_of(resource::requests, window::minute)];
  if (rpm && !rpm->reported()) {
    rpm.reset();
    if (last_update_) create_configured(now);
  }
}

basis quota::decides(time_point now) const {
  return settings_.use_headers && last_update_ && now - *last_update_ <= snapshot_lifetime ? basis::headers
                                                                                           : basis::fallback;
}

/// Without headers. Before the provider's first answer nothing is known for sure: the first request goes at once to
/// learn from, and what does not fit the configured limits waits for that answer, at most header_timeout.
time_point quota::static_ready_at(double cost, duration waited, time_point now) {
  if (settings_.use_headers && !settings_.header_fallback) return now;
  auto const fits = std::max(requests_.ready_at(1, now), tokens_.ready_at(cost, now));
  if (!settings_.use_headers || answered_) return fits;
  if (reservations_.empty()) return now;
  auto const probe = std::max(now - waited + settings_.header_timeout, last_probe_ + settings_.header_timeout);
  return std::min(fits, std::max(now, probe));
}

time_point quota::ready_at(double cost, duration waited, time_point now) {
  auto at = now;
  if (hold_until_) {
    if (*hold_until_ > now) {
      at = *hold_until_;
    } else {
      hold_until_.reset();
      cautious_ = true;
    }
  }
  if (cautious_ && unanswered_ > 0) at = std::max(at, last_release_ + probe_spacing);
  bool const dynamic = decides(now) == basis::headers;
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    auto& b = budgets_[slot];
    // A long window that is known to be used up still is, however old the snapshot.
    if (!b || (!dynamic && (window_of(slot) == window::minute || !b->next_reset()))) continue;
    at = std::max(at, b->ready_at(amount(slot, cost), now));
  }
  return dynamic ? at : std::max(at, static_ready_at(cost, waited, now));
}

time_point quota::forecast(double cost, double ahead_requests, double ahead_tokens, time_point now) {
  auto at = hold_until_ ? std::max(now, *hold_until_) : now;
  // Before the first answer the configured limits are a guess, and refuse nobody; the provider's own word is none.
  if (settings_.use_headers && !answered_) return at;
  bool const dynamic = decides(now) == basis::headers;
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    auto& b = budgets_[slot];
    if (!b || (!dynamic && (window_of(slot) == window::minute || !b->next_reset()))) continue;
    bool const counts_requests = resource_of(slot) == resource::requests;
    double const own = counts_requests ? 1 : cost;
    double const ahead = counts_requests ? ahead_requests : ahead_tokens;
    // What is ahead goes in turn, so more than one whole limit takes more than one refill.
    auto const last = b->ready_at(std::min(own + ahead, b->capacity()), now);
    double const beyond = std::max(0.0, own + ahead - b->capacity());
    at = std::max(at, last + duration_of_seconds(beyond / b->limit() * seconds_of(length_of(window_of(slot)))));
  }
  if (dynamic || (settings_.use_headers && !settings_.header_fallback)) return at;
  auto const windows = [&](sliding_window& w, double n) {
    double const beyond = std::max(0.0, std::ceil(n / w.limit()) - 1);
    return w.ready_at(std::min(n, w.limit()), now) + duration_of_seconds(60 * beyond);
  };
  return std::max({at, windows(requests_, 1 + ahead_requests), windows(tokens_, cost + ahead_tokens)});
}

std::optional<double> quota::known_token_limit() const {
  std::optional<double> lowest;
  for (auto const w : {window::minute, window::hour, window::day})
    if (auto const* b = find(resource::tokens, w); b && b->reported())
      lowest = std::min(lowest.value_or(b->capacity()), b->capacity());
  return lowest;
}

const budget* quota::find(resource r, window w) const {
  auto const& b = budgets_[slot_of(r, w)];
  return b ? &*b : nullptr;
}

double quota::level(resource r, window w, time_point now) {
  auto& b = budgets_[slot_of(r, w)];
  return b ? b->level(now) : 0;
}

/// Only out of a full bucket, with nothing else in flight, is the drop of the remaining the charge of one request.
bool quota::measurable(time_point now) {
  if (!reservations_.empty()) return false;
  auto& tokens = budgets_[slot_of(resource::tokens, window::minute)];
  return tokens ? tokens->model() == refill::continuous && tokens->level(now) >= tokens->capacity() : !answered_;
}

quota::reservation_id quota::reserve(double cost, time_point now) {
  if (settings_.use_headers && !answered_ && tokens_.ready_at(cost, now) > now) last_probe_ = now;
  reservation r{.cost = cost, .taken = now, .answered = false, .measurable = measurable(now), .marks = {}};
  for (std::size_t slot = 0; slot < slot_count; ++slot)
    if (auto& b = budgets_[slot]) r.marks[slot] = b->take(amount(slot, cost), now);
  requests_.record(1, now);
  tokens_.record(cost, now);
  ++unanswered_;
  last_release_ = now;
  auto const id = next_id_++;
  reservations_.emplace(id, r);
  return id;
}

/// How many others were sent so close to this one that the provider may have met them before or after it.
unsigned quota::overlap_of(entry e) const {
  unsigned n = 0;
  for (auto i = e; i != reservations_.begin() && n < 16;) {
    --i;
    if (e->second.taken - i->second.taken > reordering) break;
    ++n;
  }
  for (auto i = std::next(e); i != reservations_.end() && n < 16; ++i, ++n)
    if (i->second.taken - e->second.taken > reordering) break;
  return n;
}

/// A reset that is sent is the provider's own word; without one, refill is limit ÷ window.
budget& quota::make_budget(std::size_t slot, const limit_snapshot& s, time_point now) {
  auto const model = s.reset ? refill::window : refill::continuous;
  auto const limit = static_cast<double>(*s.limit);
  return budgets_[slot].emplace(limit, length_of(window_of(slot)), model, now, budget_options());
}

/// A budget is heard of for the first time, in the answer to one of the requests in flight. The others get the marks
/// they would have if it had been known, and full, all along. Those sent long before are in the answer's figures; of
/// those sent about then nobody knows, so they are taken for later.
void quota::create(std::size_t slot, entry answered, const limit_snapshot& s) {
  auto const& first = answered->second;
  auto& b = make_budget(slot, s, first.taken);
  double later = amount(slot, first.cost);
  answered->second.marks[slot] = b.take(later, first.taken);
  auto about_then = answered;
  while (about_then != reservations_.begin() && first.taken - std::prev(about_then)->second.taken <= reordering)
    --about_then;
  for (auto i = about_then; i != reservations_.end(); ++i) {
    if (i == answered) continue;
    i->second.marks[slot] = b.take(amount(slot, i->second.cost), std::max(first.taken, i->second.taken));
    later += amount(slot, i->second.cost);
  }
  for (auto i = about_then; i != reservations_.begin();) {
    --i;
    i->second.marks[slot] = b.mark_before(later);
    later += amount(slot, i->second.cost);
  }
}

/// Requests a minute, which most accounts' headers do not report, follow the configured limit.
void quota::create_configured(time_point now) {
  auto const slot = slot_of(resource::requests, window::minute);
  if (budgets_[slot]) return;
  auto& b =
      budgets_[slot].emplace(settings_.rpm_limit, length_of(window::minute), refill::continuous, now, budget_options());
  auto const mark = b.take(std::min(settings_.rpm_limit, requests_.used(now)), now);
  for (auto& [id, r] : reservations_) r.marks[slot] = mark;
}

std::optional<double> quota::observe(reservation_id id, const rate_limit_snapshot* snapshot, bool charged,
                                     time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return std::nullopt;
  auto& r = e->second;
  if (!r.answered) {
    r.answered = true;
    --unanswered_;
  }
  if (charged) {
    answered_ = true;
    cautious_ = false;
    if (r.taken >= last_refusal_) refusals_ = 0;
  }
  if (!snapshot || !settings_.use_headers) return std::nullopt;
  // Now there is something better than the word of a refusal that came before anything was known.
  if (!last_update_) hold_until_.reset();
  last_update_ = now;
  std::optional<double> charge;
  auto const overlap = overlap_of(e);
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    auto const& s = snapshot->limits[slot];
    if (!s.any()) continue;
    bool const created = !budgets_[slot];
    if (created) {
      if (!s.limit) continue;
      create(slot, e, s);
    }
    double const residual =
        budgets_[slot]->observe(r.marks[slot], amount(slot, r.cost), s, r.taken, now, overlap, charged);
    if (slot != slot_of(resource::tokens, window::minute) || !charged || !s.remaining) continue;
    // The first header of all is about a bucket that was full, and mostly about the first request to be met.
    if (created || (r.measurable && id + 1 == next_id_)) charge = r.cost - residual;
  }
  create_configured(now);
  return charge;
}

void quota::update(const rate_limit_snapshot& snapshot, time_point now) {
  if (!settings_.use_headers) return;
  last_update_ = now;
  answered_ = true;
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    auto const& s = snapshot.limits[slot];
    if (!s.any() || (!budgets_[slot] && !s.limit)) continue;
    if (!budgets_[slot]) make_budget(slot, s, now);
    budgets_[slot]->observe({}, 0, s, now, now, 0, true);
  }
  create_configured(now);
}

void quota::give_back_all(const reservation& r, time_point now) {
  for (std::size_t slot = 0; slot < slot_count; ++slot)
    if (auto& b = budgets_[slot]) b->give_back(r.marks[slot], amount(slot, r.cost), now);
  requests_.give_back(1, r.taken, now);
  tokens_.give_back(r.cost, r.taken, now);
}

void quota::refused(reservation_id id, const refusal& why, bool informed, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  auto const r = e->second;
  end(e);
  // Requests sent together are refused together: that is one refusal, not a row of them.
  if (r.taken >= last_refusal_) ++refusals_;
  last_refusal_ = now;
  auto const attempt = refusals_;
  if (why.what == refusal::kind::load) {
    give_back_all(r, now);
    hold(now + std::max(why.retry_after.value_or(duration::zero()), backoff(attempt)));
    return;
  }
  cautious_ = true;
  auto const slot = slot_of(why.counts.value_or(resource::tokens), why.over.value_or(window::minute));
  auto* const culprit = budgets_[slot] ? &*budgets_[slot] : nullptr;
  bool const trusted = culprit && culprit->reported() && attempt <= trusted_attempts && !why.burst;
  if (trusted && !informed) {
    // What the model said is wrong by an unknown amount: let it assume a little less with each refusal.
    auto marks = r;
    culprit->refused(r.marks[slot], amount(slot, r.cost), attempt, why.retry_after, now);
    marks.marks[slot].epoch = 0;  // given back already
    give_back_all(marks, now);
    return;
  }
  give_back_all(r, now);
  bool const explained = informed && ready_at(r.cost, duration::zero(), now) > now;
  if (explained && attempt <= trusted_attempts) return;
  if (culprit && !culprit->reported() && why.counts == resource::requests)
    culprit->set_limit(std::clamp(requests_.used(now), 1.0, culprit->limit()));
  hold(now + why.retry_after.value_or(why.burst ? duration{std::chrono::seconds{1}} : backoff(attempt)));
}

void quota::settle(reservation_id id, std::optional<double> actual, double input_excess, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  if (actual) {
    auto const& r = e->second;
    double const unused = r.cost - *actual;
    tokens_.give_back(unused, r.taken, now);
    for (std::size_t slot = slot_of(resource::tokens, window::minute); slot < slot_count; ++slot)
      if (auto& b = budgets_[slot]) b->give_back(r.marks[slot], unused - (b->reported() ? input_excess : 0), now);
  }
  end(e);
}

void quota::cancel(reservation_id id, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  give_back_all(e->second, now);
  end(e);
}

void quota::end(entry e) {
  if (!e->second.answered) --unanswered_;
  reservations_.erase(e);
}

void quota::hold(time_point until) {
  hold_until_ = std::max(hold_until_.value_or(until), until);
}

}  // namespace cooldown
