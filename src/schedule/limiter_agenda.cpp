// Which scopes have to be looked at: those that something happened to, and those whose time has come.
#include "limiter_parts.hpp"

namespace cooldown {
namespace {

// When something may go is rounded anew each time that it is asked.
constexpr duration rounding = std::chrono::microseconds{1};

// What others take of a quota is believed for a while only: a plan that rests on it is made anew so soon.
constexpr duration look_again = std::chrono::seconds{5};

}  // namespace

void cerebras_limiter::agenda::enter(scope& s, const request_queue::head* goes, std::optional<time_point> when) {
  if (goes) {
    s.goes = *goes;
    ready.insert(rank_of(s));
    ready_by_age.insert(age_of(s));
  }
  if (!when) return;
  s.due = when;
  due.insert({*when, &s});
}

void cerebras_limiter::agenda::remove(scope& s) {
  changed.erase(&s);
  if (s.due) due.erase({*s.due, &s});
  if (s.goes) {
    ready.erase(rank_of(s));
    ready_by_age.erase(age_of(s));
  }
  s.due.reset();
  s.goes.reset();
}

/// Something happened to a scope that may change who of it goes when.
void cerebras_limiter::change(scope& s) {
  if (s.waits()) agenda_->changed.insert(&s);
}

/// Brings the agenda up to date.
void cerebras_limiter::look(time_point now) {
  auto& all = *agenda_;
  for (auto i = all.due.begin(); i != all.due.end() && i->first <= now + rounding; ++i) all.changed.insert(i->second);
  while (!all.changed.empty()) {
    auto& s = **all.changed.begin();
    all.remove(s);
    if (!s.waits()) continue;
    s.looked_at = now;
    auto const t = turn_of(s, now);
    if (!t.goes) {
      all.enter(s, nullptr, s.limits.is_shared() ? std::min(t.next, now + look_again) : t.next);
      continue;
    }
    // Another one of it may become due out of turn, or ready, before that goes.
    auto const next = std::min(t.next, s.queue.next_due(now, settings_.ageing).value_or(t.next));
    all.enter(s, t.goes, next > now + rounding ? std::optional(next) : std::nullopt);
  }
}

/// Among several scopes the most urgent ticket goes first, then the oldest, but for one out of turn as in a queue: it
/// matters only where the number in flight is bounded.
const request_queue::head* cerebras_limiter::next_of_all(time_point now) {
  auto& all = *agenda_;
  for (look(now); !all.ready.empty(); look(now)) {
    auto& best = *std::get<scope*>(*all.ready.begin());
    auto& oldest = *std::get<scope*>(*all.ready_by_age.begin());
    if (best.looked_at == now && oldest.looked_at == now) {
      bool const bounded = settings_.max_in_flight > 0 && settings_.ageing > duration::zero();
      bool const overdue = bounded && now - oldest.goes->waits_since >= settings_.ageing;
      out_of_turn_ = !out_of_turn_ && overdue && oldest.goes->rank > best.goes->rank;
      return out_of_turn_ ? &*oldest.goes : &*best.goes;
    }
    // What could go earlier may not do so any more.
    all.changed.insert({&best, &oldest});
  }
  return nullptr;
}

std::optional<time_point> cerebras_limiter::next_deadline(time_point now) {
  if (deadlines_.empty()) return std::nullopt;
  auto next = deadlines_.begin()->first;
  if (!may_go(in_flight_)) return next;
  look(now);
  if (!agenda_->ready.empty()) return std::min(next, now);
  return agenda_->due.empty() ? next : std::min(next, agenda_->due.begin()->first);
}

/// It has no tickets: it may be forgotten when there is no room.
void cerebras_limiter::rest(scope& s) {
  if (s.idle_since) idle_.erase({*s.idle_since, &s});
  s.idle_since = s.last_used;
  idle_.insert({s.last_used, &s});
}

/// Forgets a scope without tickets: the longest unused of those that are like new ones, since they are full again or
/// the provider has never admitted anything of theirs; without such, the one that is full first. With tickets in all of
/// them the map grows by one: there are never more scopes than tickets and the bound together.
void cerebras_limiter::evict_one(time_point now) {
  while (!idle_.empty()) {
    auto const [when, oldest] = *idle_.begin();
    auto& s = *oldest;
    idle_.erase(idle_.begin());
    s.idle_since.reset();
    if (s.tickets > 0 || (s.paused && !all_paused_ && !paused_models_.contains(s.model))) continue;
    auto const full = s.succeeded ? s.limits.full_at(now) : now;
    if (when <= now && full > now) {
      // Its turn comes when it is full, behind all of which that is not known yet.
      s.idle_since = full;
      idle_.insert({full, &s});
      continue;
    }
    agenda_->remove(s);
    succeeded_.erase({s.credential, &s});
    if (latest_ == &s) latest_ = nullptr;
    scopes_.erase(key_of({s.credential, s.model}));
    return;
  }
}

}  // namespace cooldown
