// What is reserved for requests at the provider, and what comes back of it.
#include <algorithm>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {
/// Only out of a full bucket, with nothing else in flight, is the drop of the remaining the charge of one request.
bool quota::measurable(time_point now) {
  if (!reservations_.empty()) return false;
  auto& tokens = budgets_[tpm_slot];
  return tokens ? tokens->model() == refill::continuous && tokens->level(now) >= tokens->capacity() : !answered_;
}

quota::reservation_id quota::reserve(double cost, double input, time_point now, duration lasts) {
  if (settings_.use_headers && !answered_ && tokens_.ready_at(cost, now) > now) last_probe_ = now;
  reservation r{.cost = {cost, input},
                .lasts = lasts,
                .taken = now,
                .before = pacing_.last_release(),
                .crowd = static_cast<unsigned>(std::min(64.0, crowd_.used(now))),
                .among = reservations_.size() + 1,
                .answered = false,
                .measurable = measurable(now),
                .probe = now >= pacing_.probe_at(),
                .marks = {}};
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto& b = budgets_[slot]) r.marks[slot] = b->take(amount(slot, r.cost), now);
  requests_.record(1, now);
  tokens_.record(cost, now);
  crowd_.record(1, now);
  pacing_.on_release(now);
  concurrency_.on_release(r.among);
  ++unanswered_;
  auto const id = next_id_++;
  reservations_.emplace(id, r);
  reserved_ += cost;
  return id;
}

/// The provider charged nothing for it. `but`: this slot's budget knows already.
void quota::untake(const reservation& r, time_point now, std::size_t but) {
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot)
    if (auto& b = budgets_[slot]; b && slot != but) b->untake(r.marks[slot], amount(slot, r.cost), r.taken, now);
  requests_.give_back(1, r.taken, now);
  tokens_.give_back(r.cost.tokens, r.taken, now);
}

void quota::settle(reservation_id id, const usage& used, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  if (used.total) {
    auto const& r = e->second;
    token_cost const took{*used.total, used.input.value_or(r.cost.input)};
    tokens_.give_back(r.cost.tokens - took.tokens + used.cached, r.taken, now);
    // By how much the input was charged less at admission than we thought, headers have shown.
    double input_seen = used.input ? std::max(0.0, r.cost.input - *used.input) : 0;
    if (now < careful_until_) input_seen = r.cost.input;
    for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
      auto& b = budgets_[slot];
      if (!b || counts_requests(slot)) continue;
      auto const counts = ids_[slot].counts;
      bool const with_input = counts != resource::output_tokens;
      bool const uncached = with_input && counts != resource::total_tokens;
      double const correction = b->shown() ? (with_input ? -input_seen : 0) : (uncached ? used.cached : 0);
      b->give_back(r.marks[slot], amount(slot, r.cost) - amount(slot, took) + correction, r.taken, now);
      b->count_use(took.tokens, amount(slot, took) - correction);
    }
  }
  if (e->second.answered) {
    pacing_.on_end(now);
    concurrency_.on_end(now - e->second.taken);
  }
  end(e);
}

void quota::revise(reservation_id id, double cost, double input, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  auto& r = e->second;
  token_cost const all_less{r.cost.tokens - cost, r.cost.input - input};
  tokens_.give_back(all_less.tokens, r.taken, now);
  for (std::size_t slot = 0; slot < budgets_.size(); ++slot) {
    auto& b = budgets_[slot];
    // Its own header has corrected the levels that it showed.
    if (!b || counts_requests(slot) || (r.answered && b->shown())) continue;
    double const less = amount(slot, all_less);
    b->correct(r.marks[slot], less, r.taken, now);
    for (auto i = e; i != reservations_.end(); ++i) i->second.marks[slot].spent -= less;
  }
  reserved_ -= all_less.tokens;
  r.cost = {cost, input};
}

void quota::cancel(reservation_id id, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  auto const& r = e->second;
  pacing_.not_sent(r.taken, r.before, now);
  if (auto const next = std::next(e); next != reservations_.end() && next->second.before == r.taken)
    next->second.before = r.before;
  uncharged(id, now);
}

void quota::uncharged(reservation_id id, time_point now) {
  auto const e = reservations_.find(id);
  if (e == reservations_.end()) return;
  untake(e->second, now);
  end(e);
}

void quota::end(entry e) {
  if (!e->second.answered) --unanswered_;
  reserved_ -= e->second.cost.tokens;
  reservations_.erase(e);
  if (reservations_.empty()) reserved_ = 0;  // rounding errors do not outlive them
}

}  // namespace cooldown
