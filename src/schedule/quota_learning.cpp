// What headers and refusals say of a quota, and to which of its budgets.
#include <algorithm>
#include <cmath>
#include <utility>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {
namespace {

// Total tokens are this many times the uncached ones (API documentation, "Rate limits"), where nothing else tells.
constexpr double default_total_factor = 3;

// Of its limit: a remaining a little above may be a refund that the limit does not cut off.
constexpr double whole = 1.05;
// Nobody is known to have more, and no provider to go on without showing for so many windows.
constexpr double most_total_factor = 1000;
constexpr int total_memory = 60;

// More than this share of a limit is plenty: it was not the one that refused.
constexpr double plenty_left = 0.25;

// How long inputs are taken for uncharged at admission after a refusal that the model cannot explain.
constexpr duration careful_time = std::chrono::minutes{1};

// Of so many at the provider it is asked whether they have been quiet.
constexpr std::size_t most_presumed = 64;

// A second bucket of tokens is told of for these.
constexpr window total_windows[] = {window::minute, window::hour, window::day};

}  // namespace

/// How many others were sent so close to this one that the provider may have met them before or after it.
unsigned quota::overlap_of(entry e) const {
  unsigned n = e->second.crowd;
  for (auto i = std::next(e); i != reservations_.end() && n < 64; ++i, ++n)
    if (i->second.taken - e->second.taken > reordering) break;
  return n;
}

/// A budget is heard of for the first time, in the answer to one of the requests in flight. It was full before. Those
/// sent long before that one are in its figures; of those sent about then nobody knows, so they are taken for later.
void quota::create(std::size_t slot, entry answered, const limit_snapshot& s) {
  auto const& first = answered->second;
  // A reset that is sent is the provider's own word; without one, refill is limit ÷ window.
  auto& b =
      make_budget(slot, static_cast<double>(*s.limit), s.reset ? refill::window : refill::continuous, first.taken);
  answered->second.marks[slot] = b.take(amount(slot, first.cost), first.taken);
  for (auto i = reservations_.begin(); i != reservations_.end(); ++i) {
    if (i == answered) continue;
    auto& r = i->second;
    bool const included = r.taken + reordering < first.taken;
    r.marks[slot] = included ? b.mark_before() : b.take(amount(slot, r.cost), std::max(first.taken, r.taken));
  }
}

/// A remaining beyond its limit is that of the total tokens, which have the same name: then there are two budgets, and
/// only our own count tells of the main one. Once is no proof: a slip is left out.
rate_limit_snapshot quota::split_buckets(rate_limit_snapshot s, time_point now) {
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    auto const over = total_windows[i];
    auto* const found = s.limits.find({resource::tokens, over});
    if (!found || !found->limit || *found->limit == 0 || !found->remaining) continue;
    auto& main = *found;
    auto const limit = static_cast<double>(*main.limit);
    auto& total = totals_[i];
    double const share = std::max(1.0, static_cast<double>(*main.remaining)) / limit;
    auto const last = std::exchange(total.last_share, share);
    // The first of all is believed.
    if (auto const repeated = last > 0 ? std::min(last, share) : share; repeated > whole) {
      total.factor = std::max(total.factor, std::ceil(std::min(repeated, most_total_factor)));
      total.proven_at = now;
    }
    if (now - total.proven_at > total_memory * over.length()) total.factor = 0;
    if (auto* const all = total.factor > 0 ? s.limits.get({resource::total_tokens, over}) : nullptr)
      *all = {.limit = static_cast<std::uint64_t>(std::min(limit * total.factor, 1e18)),
              .remaining = main.remaining,
              .reset = main.reset};
    if (total.factor > 0 || share > whole) {
      main.remaining.reset();
      main.reset.reset();
    }
  }
  return s;
}

bool quota::is_split(window over) const {
  auto const* const found = std::ranges::find(total_windows, over);
  return found != std::end(total_windows) && totals_[static_cast<std::size_t>(found - total_windows)].factor > 0;
}

/// Does `s` show what remains of this limit?
bool quota::shows(const rate_limit_snapshot& s, limit_id id) const {
  auto const split = is_split(id.over);
  if (split && id.counts == resource::tokens) return false;
  if (split && id.counts == resource::total_tokens) id.counts = resource::tokens;
  return s.at(id).remaining.has_value();
}

/// The provider admitted it: the pause that a refusal has brought is over.
void quota::admitted(const reservation& r, const rate_limit_snapshot* snapshot, time_point now) {
  answered_ = true;
  pacing_.on_success(r.taken);
  if (!r.presumed) concurrency_.on_success(r.among, r.taken, now);
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    auto& b = budgets_[slot];
    if (!b) continue;
    if (r.probe && !(snapshot && snapshot->at(ids_[slot]).remaining)) b->disproved(r.marks[slot], now);
    if (!(snapshot && shows(*snapshot, ids_[slot]))) b->answered_silently(r.marks[slot], r.taken);
    if (!b->shown() || !snapshot || !snapshot->at(ids_[slot]).remaining)
      b->admitted(r.marks[slot], amount(slot, r.cost), r.taken, now);
  }
  if (auto& rpm = budgets_[rpm_slot])
    proven_requests_ = std::max(proven_requests_, rpm->used(now) - static_cast<double>(unanswered_));
}

/// Has an older answer shown the same, though that should have changed?
bool quota::is_copy(const reservation& r, const rate_limit_snapshot& s) {
  bool surprising = false;
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto const& b = budgets_[slot]; b && b->shown())
      if (auto const left = s.at(ids_[slot]).remaining)
        surprising = surprising || b->surprised_by(static_cast<double>(*left), r.marks[slot], amount(slot, r.cost));
  return reading_age_.repeats(s, surprising, r.taken);
}

/// A limit of tokens a minute, or over less, was told.
void quota::told(const rate_limit_snapshot& snapshot, time_point now) {
  bool const main = std::ranges::any_of(snapshot.limits, [](auto const& each) {
    bool const of_tokens = each.id.counts != resource::requests && each.id.over <= window::minute;
    return of_tokens && each.value.limit && (each.value.remaining || each.value.reset);
  });
  if (!main) return;
  last_update_ = now;
  pacing_.on_heard(now);
}

std::optional<seen_charge> quota::observe(reservation_id id, const rate_limit_snapshot* snapshot, fate became,
                                          time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return std::nullopt;
  auto& r = e->second;
  if (!r.answered) {
    r.answered = true;
    --unanswered_;
  }
  if (became == fate::charged) admitted(r, snapshot, now);
  if (!snapshot || !settings_.use_headers) return std::nullopt;
  // Now there is something better than the word of a refusal that came before anything was known.
  if (!last_update_) pacing_.forget_hold();
  told(*snapshot, now);
  std::optional<seen_charge> charge;
  auto const overlap = overlap_of(e);
  auto const split = split_buckets(*snapshot, now);
  bool const copy = became == fate::charged && is_copy(r, split);
  for (auto const& [of, s] : split.limits) {
    auto const slot = s.any() ? slot_for(of) : most_limits;
    if (slot == most_limits) continue;
    bool const created = !budgets_[slot];
    if (created) {
      if (!s.limit) continue;
      create(slot, e, s);
    }
    if (copy && !created) {
      budgets_[slot]->observe_copy(r.marks[slot], r.taken, now);
      continue;
    }
    double const residual =
        budgets_[slot]->observe(r.marks[slot], amount(slot, r.cost), s, r.taken, now, overlap, became);
    if (slot != tpm_slot || became != fate::charged || !s.remaining) continue;
    // What the first header of all shows missing may be others' charges as well, of now or before.
    bool const alone = !created && r.measurable && id + 1 == next_id_;
    if (created || alone) charge = {.tokens = r.cost.tokens - residual, .alone = alone};
  }
  return charge;
}

void quota::forget(limit_id of, time_point now) {
  auto const slot = find_slot(of);
  if (slot == most_limits) return;
  budgets_[slot].reset();
  for (auto& [id, r] : reservations_) r.marks[slot] = {};
  create_configured(now);
}

void quota::update(const rate_limit_snapshot& snapshot, time_point now) {
  if (!settings_.use_headers) return;
  told(snapshot, now);
  answered_ = true;
  auto const split = split_buckets(snapshot, now);
  for (auto const& [of, s] : split.limits) {
    auto const slot = s.any() ? slot_for(of) : most_limits;
    if (slot == most_limits || (!budgets_[slot] && !s.limit)) continue;
    if (!budgets_[slot])
      make_budget(slot, static_cast<double>(*s.limit), s.reset ? refill::window : refill::continuous, now);
    budgets_[slot]->observe({}, 0, s, now, now, 0, fate::charged);
  }
}

/// What went out so lately that a refusal of it may still be under way.
double quota::undecided(std::size_t slot, time_point now) const {
  double sum = 0;
  for (auto i = reservations_.rbegin(); i != reservations_.rend() && i->second.taken + reordering > now; ++i)
    if (!i->second.answered) sum += amount(slot, i->second.cost);
  return sum;
}

/// What a limit may be that nobody has told of, by the one that it is related to.
std::optional<double> quota::likely_limit(std::size_t slot) const {
  auto const minutes = seconds_of(ids_[slot].over.length()) / seconds_of(window::minute.length());
  auto const of = [&](resource counts, window over) -> std::optional<double> {
    auto const* const b = find(counts, over);
    return b ? std::optional{b->limit()} : std::nullopt;
  };
  switch (ids_[slot].counts) {
    case resource::requests:
      return minutes * of(resource::requests, window::minute).value_or(requests_.limit());
    case resource::tokens:
    case resource::input_tokens:
    case resource::output_tokens:
      return minutes * of(resource::tokens, window::minute).value_or(tokens_.limit());
    case resource::total_tokens:
      if (auto const main = of(resource::tokens, ids_[slot].over)) return default_total_factor * *main;
  }
  return std::nullopt;
}

/// A refusal names a limit of which nobody has spoken, perhaps with its size. Those in flight are taken out of it, too.
void quota::create_hidden(std::size_t slot, std::optional<std::uint64_t> told, reservation& refused) {
  // A limit that could never have admitted what was refused is another one, or misread.
  bool const plausible = told && static_cast<double>(*told) >= amount(slot, refused.cost);
  auto const limit = plausible ? static_cast<double>(*told) : likely_limit(slot);
  if (!limit) return;
  auto& b = make_budget(slot, *limit, refill::continuous, refused.taken);
  b.guessed();
  refused.marks[slot] = b.take(amount(slot, refused.cost), refused.taken);
  for (auto& [id, r] : reservations_)
    if (r.taken + reordering >= refused.taken)
      r.marks[slot] = b.take(amount(slot, r.cost), std::max(refused.taken, r.taken));
}

/// Does it fit by all that headers show? Then they do not explain why it was refused.
bool quota::fits_what_is_shown(const token_cost& cost, time_point now) {
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto& b = budgets_[slot]; b && b->shown() && b->ready_at(amount(slot, cost), now) > now) return false;
  return true;
}

/// The limit that a refusal is about: the one that it names; else tokens a minute, unless headers show that there is
/// plenty of them: then requests a minute, if those are not shown. nullopt: nobody knows, or its headers have
/// told.
std::optional<limit_id> quota::culprit_of(const reservation& r, const refusal& why, bool informed, time_point now) {
  if (why.counts) return limit_id{*why.counts, why.over.value_or(window::minute)};
  limit_id const of_tokens{resource::tokens, why.over.value_or(window::minute)};
  auto const slot = find_slot(of_tokens);
  auto* const tokens = slot < most_limits && budgets_[slot] ? &*budgets_[slot] : nullptr;
  auto& rpm = budgets_[rpm_slot];
  bool const plenty = tokens && tokens->shown() && tokens->level(now) > plenty_left * tokens->limit();
  if (rpm && !rpm->shown() && plenty && (!informed || fits_what_is_shown(r.cost, now))) return ids_[rpm_slot];
  if (tokens && tokens->reported()) return informed ? std::nullopt : std::optional{of_tokens};
  bool const dark = std::ranges::none_of(budgets_, [](auto const& b) { return b && b->reported(); });
  if (!dark || informed) return std::nullopt;
  auto const left = [now](budget& b) { return b.level(now) / b.limit(); };
  if (tokens && (!rpm || left(*tokens) < left(*rpm))) return of_tokens;
  return rpm ? std::optional{ids_[rpm_slot]} : std::nullopt;
}

void quota::refused(reservation_id id, const refusal& why, const rate_limit_snapshot* snapshot, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  auto r = e->second;
  end(e);
  pacing::attempt const attempt{.sent = r.taken, .probe = r.probe, .salt = id};
  if (why.burst) {
    untake(r, now);
    pacing_.on_burst(attempt, why.retry_after, now);
    return;
  }
  auto const round = pacing_.on_refusal(attempt, now);
  bool const explained = refused_by_quota(r, why, snapshot, round, now);
  if (!explained) pacing_.hold(why.retry_after, why.over.value_or(window::day).length(), now);
}

void quota::refused_for_size(reservation_id id, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  pacing_.on_refusal({.sent = e->second.taken, .probe = e->second.probe, .salt = id}, now);
  uncharged(id, now);
}

/// What is at the provider and quiet was admitted.
void quota::presume_admitted(time_point now) {
  std::size_t looked_at = 0;
  for (auto i = reservations_.rbegin(); i != reservations_.rend() && looked_at < most_presumed; ++i) {
    auto& r = i->second;
    if (r.taken + concurrency_.quiet_time() > now) continue;
    ++looked_at;
    if (r.answered || std::exchange(r.presumed, true)) continue;
    concurrency_.on_success(r.among, r.taken, now);
  }
}

time_point quota::refused_for_capacity(reservation_id id, unsigned times, std::optional<duration> told,
                                       time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return now;
  auto const r = e->second;
  end(e);
  untake(r, now);
  presume_admitted(now);
  concurrency_.on_refusal(r.among, r.taken, now);
  return pacing_.on_no_capacity({.sent = r.taken, .probe = r.probe, .salt = id}, times, told, now);
}

/// Does it say when to come again, better than the model? Some say a whole window, whatever is true. Of a named limit a
/// short time is what a bucket takes, which is known.
bool quota::is_worth_a_pause(const refusal& why, duration length) {
  if (!why.retry_after) return false;
  auto const told = *why.retry_after;
  bool const nearly_all = 10 * told >= 9 * length;
  if (!why.counts) return !nearly_all || told > length;
  return !nearly_all && 8 * told >= length;
}

/// Returns whether the model now knows better than the refusal when to come again.
bool quota::refused_by_quota(reservation& r, const refusal& why, const rate_limit_snapshot* snapshot, unsigned attempt,
                             time_point now) {
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto& b = budgets_[slot]; b && b->has_vanished(now)) b->hide(r.marks[slot], now);
  auto const of = culprit_of(r, why, snapshot != nullptr, now);
  auto const slot = of ? slot_for(*of) : most_limits;
  bool const unheard_of = slot < most_limits && !budgets_[slot];
  if (unheard_of) create_hidden(slot, why.limit, r);
  if (slot == most_limits || !budgets_[slot] || (snapshot && shows(*snapshot, *of))) {
    untake(r, now);
    return attempt <= trusted_rounds && snapshot && !fits_what_is_shown(r.cost, now);
  }
  auto& culprit = *budgets_[slot];
  if (why.limit && static_cast<double>(*why.limit) >= amount(slot, r.cost))
    culprit.told(static_cast<double>(*why.limit));
  culprit.refused(r.marks[slot], amount(slot, r.cost), attempt, why.retry_after, undecided(slot, now), r.taken, now);
  // What the model said is wrong by an unknown amount. Where it is not refill, it may be that inputs cost nothing at
  // admission, as has been measured on live accounts, so that what they cost shows only when they are settled.
  if (!counts_requests(slot) && culprit.model() == refill::continuous) careful_until_ = now + careful_time;
  untake(r, now, slot);
  // Before the first header its size is a guess: the provider's word is better. A limit that is not shown has a
  // patience of its own.
  bool const guess = unheard_of && !last_update_;
  if (!culprit.shown() && culprit.model() == refill::continuous && is_worth_a_pause(why, ids_[slot].over.length()))
    return false;
  return !guess && (attempt <= trusted_rounds || !culprit.shown());
}

}  // namespace cooldown
