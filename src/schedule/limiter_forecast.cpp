// What those that wait are told: the same rules that release, run ahead.
#include <algorithm>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/schedule/queue_preview.hpp"

#include "limiter_parts.hpp"

namespace cooldown {
namespace {

// So many of those that wait are run ahead one by one; behind them, the pace of the limits tells.
constexpr std::size_t most_previewed = 128;

// What comes later than this does not come, and times may not overflow.
constexpr duration farthest = std::chrono::hours{24 * 366};

// What is told of those behind may be old by this part of the wait.
constexpr int stale_part = 100;

}  // namespace

/// The scope from now on.
run_ahead cerebras_limiter::ahead_of(scope& s, time_point now) const {
  auto r = s.limits.ahead(s.costs, now);
  if (settings_.max_in_flight == 0) return r;
  r.bound(settings_.max_in_flight);
  r.under_way(static_cast<double>(in_flight_ - s.released.size()), {}, now - r.answer_time() / 2);
  // Those of other scopes take their part of what becomes free: to us, answers seem to last longer.
  auto const own = static_cast<double>(std::max<std::size_t>(1, s.queue.size()));
  r.answers_seem_longer(std::max(1.0, static_cast<double>(queued_) / own));
  return r;
}

/// If nobody were ahead of it.
time_point cerebras_limiter::alone(const ticket& t, time_point now) const {
  return std::max(t.not_before,
                  ahead_of(*t.owner, now).release({.reserved = t.cost, .used = t.cost, .input = t.input}));
}

/// Those at the front one by one, until `visit(id, when)` returns false.
template <class Visitor>
run_ahead cerebras_limiter::preview(scope& s, std::size_t most, time_point now, Visitor visit) const {
  auto r = ahead_of(s, now);
  queue_preview next(s.queue, most, settings_.ageing);
  auto at = now;
  auto const wait = [&](double cost, double kept) { return r.ready_at({cost, 0, kept}) - at; };
  while (auto const e = next.next(at, wait)) {
    double const input = tickets_.at(e->id).input;
    double const used = s.costs.expected_use(e->cost, input);
    if (at - now < farthest) at = r.release({e->cost, used, e->kept, e->lasts, input});
    if (!visit(e->id, at)) break;
  }
  return r;
}

/// Of one behind those that are looked at one by one.
time_point cerebras_limiter::expected_behind(const ticket& t, const request_queue::backlog& ahead,
                                             time_point now) const {
  auto& s = *t.owner;
  auto const gone = static_cast<double>(s.totals.released);
  auto const expected = [&] {
    auto& p = *s.front;
    double const n = std::max(0.0, gone + ahead.requests + 1 - p.requests);
    double const tokens = std::max(0.0, s.totals.tokens_released + ahead.tokens + t.cost - p.tokens);
    return std::max(
        now, p.then.after(n, {.reserved = tokens, .used = tokens * p.used_part, .input = tokens * p.input_part}));
  };
  if (s.front) {
    auto const at = expected();
    if (now - s.front->made <= (at - now) / stale_part) return at;
  }
  double n = 0, tokens = 0, used = 0, input = 0;
  auto then = preview(s, most_previewed, now, [&](ticket_id id, time_point) {
    auto const& each = tickets_.at(id);
    n += 1;
    tokens += each.cost;
    input += each.input;
    used += s.costs.expected_use(each.cost, each.input);
    return true;
  });
  s.front = scope::front_part{.made = now,
                              .requests = gone + n,
                              .tokens = s.totals.tokens_released + tokens,
                              .used_part = used / std::max(1.0, tokens),
                              .input_part = input / std::max(1.0, tokens),
                              .then = std::move(then)};
  return expected();
}

/// Of a ticket that waits.
standing cerebras_limiter::plan_of(ticket_id id, const ticket& t, time_point now) const {
  auto& s = *t.owner;
  if (t.where == ticket::state::deferred)
    return {.position = 1, .expected = std::max(deferred_until(t), alone(t, now)), .held_by = held_by(t, now)};
  auto const ahead = s.queue.ahead_of(t.place, now, settings_.ageing);
  std::optional<time_point> expected;
  if (ahead.requests < most_previewed)
    preview(s, most_previewed, now, [&](ticket_id each, time_point at) {
      if (each == id) expected = at;
      return each != id;
    });
  if (!expected) {
    expected = expected_behind(t, ahead, now);
    if (auto const due = s.queue.due_at(t.place, settings_.ageing); due && *due < *expected)
      expected = std::min(*expected, std::max(*due, alone(t, now)));
  }
  return {.position = static_cast<std::size_t>(ahead.requests) + 1, .expected = *expected, .held_by = held_by(t, now)};
}

/// How long it will wait at least. How much of a reservation is really used is not known at first: until it is, what is
/// ahead refuses nobody.
duration cerebras_limiter::certain_wait(const ticket& t, const standing& plan, time_point now) const {
  auto const own = alone(t, now) - now;
  if (!t.owner->costs.use_known()) return own;
  return std::max(own, t.owner->errors.at_least(plan.expected - now));
}

/// What holds it back most, whoever is ahead of it.
constraint cerebras_limiter::held_by(const ticket& t, time_point now) const {
  if (t.owner->paused) return constraint::paused;
  if (t.where == ticket::state::deferred) return constraint::capacity;
  auto const own = t.owner->limits.ready({t.cost, t.input}, now - t.submitted, now);
  if (own.at > now) return own.by;
  return may_go(in_flight_) ? constraint::others_ahead : constraint::in_flight;
}

/// When a refused request may try again. How long somebody keeps a model paused nobody knows.
std::optional<duration> cerebras_limiter::retry_after(const standing& plan, duration least, time_point now) {
  if (plan.held_by == constraint::paused) return std::nullopt;
  return std::max(least, plan.expected - now);
}

std::optional<standing> cerebras_limiter::standing_of(ticket_id id, time_point now) const {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where == ticket::state::released) return std::nullopt;
  return plan_of(id, found->second, now);
}

/// The next that would go of those in the queue, else of those deferred; nullptr: nobody waits.
const cerebras_limiter::ticket* cerebras_limiter::next_waiting(const scope& s, time_point now) const {
  if (auto const first = s.queue.order(1, now, settings_.ageing); !first.empty()) return &tickets_.at(first.front());
  return s.deferred.empty() ? nullptr : &tickets_.at(s.deferred.begin()->second);
}

std::vector<scope_report::waiting_ticket> cerebras_limiter::waiting_of(scope& s, std::size_t most,
                                                                       time_point now) const {
  std::vector<scope_report::waiting_ticket> out;
  auto const add = [&](ticket_id id, time_point expected) {
    auto const& t = tickets_.at(id);
    out.push_back({.id = id,
                   .client = t.place.client,
                   .urgency = t.place.urgency,
                   .cost = t.cost,
                   .waited = now - t.submitted,
                   // What may go now has gone: it waits for something whose time nobody knows.
                   .expected_in = s.paused || expected <= now ? std::nullopt : std::optional(expected - now),
                   .held_by = held_by(t, now)});
    return true;
  };
  if (!s.queue.empty()) preview(s, most, now, add);
  for (auto i = s.deferred.begin(); i != s.deferred.end() && out.size() < most; ++i)
    add(i->second, plan_of(i->second, tickets_.at(i->second), now).expected);
  return out;
}

}  // namespace cooldown
