// Who goes when: the part of the limiter that submits, releases, refuses and foretells.
#include <algorithm>
#include <cmath>
#include <utility>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/schedule/queue_preview.hpp"

#include "limiter_parts.hpp"

namespace cooldown {
namespace {

// How many clients' next tickets are asked whether they may pass one that has to wait.
constexpr std::size_t most_passing = 16;

}  // namespace

cerebras_limiter::ticket cerebras_limiter::ticket_of(const ticket_facts& facts, time_point now) {
  ticket t;
  t.unread = facts.unread;
  t.owner = &(facts.unread ? strictest(facts.scope, now) : scope_of(facts.scope, now));
  t.unweighed = facts.unweighed;
  t.size = facts.size;
  t.bytes = facts.body_bytes;
  t.submitted = facts.arrived.value_or(now);
  t.deadline = now + facts.max_wait;
  t.body_hash = facts.body_hash;
  t.capacity_refusals = facts.refused_before;
  t.not_before = facts.not_before;
  t.place = {.arrival = facts.arrival,
             .client = facts.client,
             .group = facts.group,
             .weight = facts.weight,
             .urgency = facts.urgency,
             .submitted = t.submitted};
  return t;
}

/// `t.cost` is the limit that it exceeds.
refused cerebras_limiter::too_large(const ticket& t, time_point now) const {
  return {.why = reason::request_too_large_for_limit,
          .retry_after = std::nullopt,
          .cost = t.owner->costs.estimate(t.size, careful(*t.owner, now), now),
          .limit = t.cost};
}

/// If it arrives now.
bool cerebras_limiter::goes_at_once(const ticket& t, time_point now) const {
  auto& s = *t.owner;
  return s.queue.empty() && !s.paused && t.not_before <= now && may_go(in_flight_) &&
         s.limits.ready_at({t.cost, t.input}, duration::zero(), now) <= now;
}

/// nullopt: it may wait for what is expected.
std::optional<refused> cerebras_limiter::too_late(const ticket& t, const standing& plan, time_point now) const {
  auto const most = t.deadline - now;
  bool const late = plan.expected > t.deadline && certain_wait(t, plan, now) > most;
  if (!late && most > duration::zero()) return std::nullopt;
  return refused{.why = reason::queue_timeout, .retry_after = retry_after(plan, duration{1}, now), .cost = t.cost};
}

std::variant<standing, refused> cerebras_limiter::foresee(const ticket_facts& facts, time_point now) {
  auto t = ticket_of(facts, now);
  if (!estimate(t, now)) return too_large(t, now);
  if (goes_at_once(t, now)) return standing{.position = 1, .expected = now, .held_by = constraint::none};
  if (t.place.arrival == 0) t.place.arrival = next_arrival_;
  auto const id = next_ticket_;
  auto& placed = tickets_.emplace(id, t).first->second;
  ++t.owner->tickets;
  place(id, placed, now);
  auto const plan = plan_of(id, placed, now);
  displace(id, placed);
  auto no = too_late(placed, plan, now);
  if (!no && !has_room_for(placed) && !crowd_.gives_way_to(placed.place.sharer()))
    no = refused{.why = reason::queue_full, .retry_after = retry_after(plan, std::chrono::seconds{1}, now)};
  finish(id);
  if (no) return *no;
  return plan;
}

decision cerebras_limiter::submit(const ticket_facts& facts, time_point now) {
  auto t = ticket_of(facts, now);
  auto& s = *t.owner;
  if (!estimate(t, now)) return too_large(t, now);
  auto const kept = arrivals_.take({facts.scope.credential, facts.client, facts.body_hash}, now);
  if (kept || t.place.arrival == 0) t.place.arrival = kept ? *kept : next_arrival_++;
  bool const first = goes_at_once(t, now);
  auto const id = next_ticket_++;
  auto& placed = tickets_.emplace(id, t).first->second;
  ++s.tickets;
  place(id, placed, now);
  if (first) {
    release(id, placed, now);
    return go{.id = id};
  }
  auto const plan = plan_of(id, placed, now);
  displace(id, placed);
  auto no = too_late(placed, plan, now);
  if (!no && !has_room_for(placed) && !make_room_for(placed, now))
    no = refused{.why = reason::queue_full, .retry_after = retry_after(plan, std::chrono::seconds{1}, now)};
  if (no) {
    if (kept) keep_arrival(placed, now);
    finish(id);
    return *no;
  }
  enqueue(id, placed, now);
  if (plan.held_by != constraint::paused) placed.expected = plan.expected;
  return queued{.id = id, .position = plan.position, .expected = plan.expected, .held_by = plan.held_by};
}

bool cerebras_limiter::has_room_for(const ticket& t) const {
  return queued_ < settings_.max_depth && queued_bytes_ + t.bytes <= settings_.max_bytes;
}

/// The client with the most tickets loses the youngest of them, which poll() refuses. False: the newcomer has to go.
bool cerebras_limiter::make_room_for(const ticket& t, time_point now) {
  if (queued_bytes_ + t.bytes > settings_.max_bytes || queued_ > settings_.max_depth) return false;
  auto const id = crowd_.gives_way_to(t.place.sharer());
  if (!id) return false;
  auto& other = tickets_.at(*id);
  deadlines_.erase({other.deadline, *id});
  other.deadline = now;
  other.crowded = true;
  deadlines_.insert({now, *id});
  return true;
}

void cerebras_limiter::identify(ticket_id id, std::uint64_t body_hash) {
  if (auto const found = tickets_.find(id); found != tickets_.end()) found->second.body_hash = body_hash;
}

/// It ends without having gone: its request may come back.
void cerebras_limiter::keep_arrival(const ticket& t, time_point now) {
  arrivals_.keep({t.owner->credential, t.place.client, t.body_hash}, t.place.arrival, now);
}

/// In the queue, or outside it while it backs off.
void cerebras_limiter::place(ticket_id id, ticket& t, time_point now) {
  bool const backs_off = t.not_before > now;
  t.where = backs_off ? ticket::state::deferred : ticket::state::waiting;
  if (backs_off) {
    t.owner->deferred.insert({t.not_before, id});
  } else {
    t.owner->queue.push(t.place, id, t.cost);
  }
}

void cerebras_limiter::displace(ticket_id id, ticket& t) {
  if (t.where == ticket::state::deferred) {
    t.owner->deferred.erase({t.not_before, id});
  } else {
    t.owner->queue.erase(t.place);
  }
}

void cerebras_limiter::enqueue(ticket_id id, ticket& t, time_point now) {
  place(id, t, now);
  start_waiting(id, t);
}

void cerebras_limiter::start_waiting(ticket_id id, ticket& t) {
  t.waited = true;
  change(*t.owner);
  deadlines_.insert({t.deadline, id});
  crowd_.add(t.place.sharer(), id);
  ++queued_;
  queued_bytes_ += t.bytes;
}

/// It does not wait any more; the caller has taken it out of its scope's queue.
void cerebras_limiter::stop_waiting(ticket_id id, const ticket& t) {
  agenda_->changed.insert(t.owner);  // if only to be taken out
  deadlines_.erase({t.deadline, id});
  crowd_.remove(t.place.sharer(), id);
  --queued_;
  queued_bytes_ -= t.bytes;
}

/// It waits no more, without having gone.
void cerebras_limiter::withdraw(ticket_id id, ticket& t) {
  displace(id, t);
  stop_waiting(id, t);
}

void cerebras_limiter::count_release(const ticket& t, time_point now) {
  auto& used =
      t.owner->limits.decides(now) == basis::headers ? counters_.dynamic_timings_used : counters_.fallback_timings_used;
  ++used;
  ++counters_.released;
  if (t.waited) ++counters_.waited;
  ++t.owner->totals.released;
  t.owner->totals.tokens_released += t.cost;
}

/// Out of its scope's queue.
void cerebras_limiter::release(ticket_id id, ticket& t, time_point now) {
  t.charged = t.owner->queue.release(t.place, now, settings_.ageing);
  if (!std::exchange(t.renewed, false)) count_release(t, now);
  if (auto const expected = std::exchange(t.expected, std::nullopt))
    t.owner->errors.observe(*expected - t.submitted, now - t.submitted);
  t.where = ticket::state::released;
  t.released = now;
  t.reservation = t.owner->limits.reserve(t.cost, t.input, now, t.owner->queue.answer_time(t.place));
  t.owner->released.insert(id);
  ++in_flight_;
}

/// The ticket of a scope that may go now, and when one may that cannot. When the head has to wait, the next of other
/// clients may pass if that does not delay it (EASY backfilling: Lifka 1995), and what is more urgent than a head out
/// of turn passes it as long as what that one's class has saved is left.
cerebras_limiter::turn cerebras_limiter::turn_of(scope& s, time_point now) {
  if (s.paused) return {nullptr, time_point::max()};
  auto const back = return_deferred(s, now);
  if (s.queue.empty()) return {nullptr, back};
  auto& heads = s.heads;
  s.queue.heads(now, settings_.ageing, most_passing, heads);
  auto const cost_of = [&](const request_queue::head& h) { return token_cost{h.cost, tickets_.at(h.id).input}; };
  auto const ready = [&](const request_queue::head& h, const request_queue::head* passed) {
    return s.limits.ready_at(
        cost_of(h), now - tickets_.at(h.id).submitted, now,
        {.requests = passed ? 1.0 : 0.0, .tokens = passed ? cost_of(*passed) : token_cost{0}, .kept = h.kept});
  };
  auto const& head = heads.front();
  auto const head_ready = ready(head, nullptr);
  if (head_ready <= now) return {&head, back};
  bool const yields = !head.paid && head_ready - now > settings_.ageing / queue_preview::longest_hold_up;
  turn result{nullptr, std::min(head_ready, back)};
  if (auto const due = s.queue.next_due(now, settings_.ageing)) result.next = std::min(result.next, *due);
  for (std::size_t i = 1; i < heads.size(); ++i) {
    auto const at = ready(heads[i], nullptr);
    if (at > now) {
      result.next = std::min(result.next, at);
    } else if ((yields && heads[i].rank < head.rank) || ready(head, &heads[i]) <= head_ready) {
      return {&heads[i], result.next};
    }
  }
  return result;
}

std::vector<ticket_event> cerebras_limiter::poll(time_point now) {
  std::vector<ticket_event> events;
  release_ready(now, events);
  bool const refused_any = refuse_overdue(now, events);
  // A head that was refused may have been all that held up the others.
  if (refused_any) release_ready(now, events);
  return events;
}

void cerebras_limiter::release_ready(time_point now, std::vector<ticket_event>& events) {
  while (may_go(in_flight_)) {
    auto const* const next = next_of_all(now);
    if (!next) return;
    auto const id = next->id;
    auto& t = tickets_.at(id);
    release(id, t, now);
    stop_waiting(id, t);
    events.push_back({.id = id, .refusal = std::nullopt});
  }
}

bool cerebras_limiter::refuse_overdue(time_point now, std::vector<ticket_event>& events) {
  bool any = false;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto const id = deadlines_.begin()->second;
    auto& t = tickets_.at(id);
    refused const why{.why = t.crowded ? reason::queue_full : reason::queue_timeout,
                      .retry_after = retry_after(plan_of(id, t, now), std::chrono::seconds{1}, now),
                      .cost = t.cost};
    withdraw(id, t);
    keep_arrival(t, now);
    finish(id);
    events.push_back({.id = id, .refusal = why});
    any = true;
  }
  return any;
}

}  // namespace cooldown
