#include "cooldown/schedule/request_queue.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cooldown/schedule/queue_preview.hpp"

#include "class_turns.hpp"
#include "slow_average.hpp"

namespace cooldown {
namespace {

// A weight of nothing would never go, and one without bound would leave nothing.
constexpr double least_weight = 0.001;
constexpr double most_weight = 1'000;

// A class that had a release within this time has not gone away: its next ticket may follow an answer.
constexpr duration savings_memory = std::chrono::minutes{1};

// Clients that do not wait are remembered while they have had more than their share; beyond so many, nobody is.
constexpr std::size_t most_idle = 1'024;

// A forecast looks at so many clients; the others are taken for as many of the same.
constexpr std::size_t most_looked_at = 128;

// How long a client's answers last is a matter of about so many of them.
constexpr int answers_averaged = 10;

// A share of use is at least this where it divides.
constexpr double least_use = 1e-3;
}  // namespace

double request_queue::use_share_of(const flow& f) const {
  return std::max(least_use, f.use.known() ? f.use.share() : use_.share());
}

/// A client of which nothing is known uses what others do, and no more than the most that one of them has used.
double request_queue::expected_use(const flow& f, double cost) const {
  if (f.use.known()) return f.use.expected(cost);
  return use_.known() ? std::min(use_.expected(cost), use_.largest()) : std::min(cost, use_average::most_tokens);
}

/// A client begins to wait: behind another one of its group that did so before, but not further behind than all of
/// those that wait.
void request_queue::join(const urgency_class& c, flow& f, const queue_place& place, double cost) const {
  auto& its = *f.of;
  f.tag = std::max(f.tag, c.virtual_time);
  if (its.clients > 1 && its.last != place.client) {
    double const one = expected_use(f, cost) / f.weight;
    f.tag = std::max(f.tag, std::min(its.joined, c.virtual_time + one * static_cast<double>(its.waiting)) + one);
  }
  its.last = place.client;
  its.joined = f.tag;
  ++its.waiting;
}

void request_queue::push(const queue_place& place, ticket_id id, double cost) {
  auto& c = class_of(place);
  if (c.size == 0) {
    if (place.submitted - c.since > savings_memory) c.saved = 0;
    c.since = std::max(c.since, place.submitted);
  }
  auto& slot = c.flows[place.client];
  if (!slot) {
    slot = std::make_unique<flow>();
    slot->tag = c.virtual_time;
  }
  auto& f = *slot;
  if (!f.of) {
    auto& its = c.groups[place.sharer()];
    if (!its) its = std::make_unique<group>();
    ++its->clients;
    f.of = its.get();
  }
  f.weight = place.weight >= least_weight ? std::min(place.weight, most_weight) : least_weight;  // NaN: the least
  if (f.tickets.empty()) {
    join(c, f, place, cost);
  } else {
    c.turns.erase(turn_of(f));
  }
  f.tickets.insert_or_assign(place.arrival, waiting{id, cost, place.submitted});
  c.turns.insert(turn_of(f));
  f.cost += cost;
  c.cost += cost;
  ++c.size;
  ++size_;
}

/// Removes the ticket and returns its cost; the client's turn is not in `turns` afterwards.
double request_queue::take_out(urgency_class& c, flow& f, const queue_place& place) {
  c.turns.erase(turn_of(f));
  auto const found = f.tickets.find(place.arrival);
  double const cost = found->second.cost;
  f.tickets.erase(found);
  if (f.tickets.empty()) --f.of->waiting;
  f.cost = f.tickets.empty() ? 0 : f.cost - cost;
  --c.size;
  --size_;
  c.cost = c.size == 0 ? 0 : c.cost - cost;  // rounding errors do not outlive the queue
  return cost;
}

void request_queue::erase(const queue_place& place) {
  auto& c = class_of(place);
  auto& f = *c.flows.at(place.client);
  take_out(c, f, place);
  if (!f.tickets.empty()) {
    c.turns.insert(turn_of(f));
  } else {
    forget_idle(c);
  }
}

void request_queue::share_out(urgency_class& to, double tokens, time_point now, duration ageing) {
  class_turns::share_out(classes_, static_cast<std::size_t>(&to - classes_.data()), tokens, now, ageing);
}

double request_queue::release(const queue_place& place, time_point now, duration ageing) {
  auto& c = class_of(place);
  c.since = now;
  out_of_turn_ = std::any_of(classes_.data(), &c, [](const urgency_class& other) { return other.size > 0; });
  auto& f = *c.flows.at(place.client);
  // Who passes others takes nobody's time with it.
  c.virtual_time = std::max(c.virtual_time, c.turns.begin()->tag);
  double const weight = weight_of(f);
  double const cost = take_out(c, f, place);
  double const charged = expected_use(f, cost);
  share_out(c, charged, now, ageing);
  f.tag += charged / weight;
  if (!f.tickets.empty()) {
    c.turns.insert(turn_of(f));
  } else {
    forget_idle(c);
  }
  return charged;
}

/// A client that has had no more than its share is like one that was never seen, and so is a group.
void request_queue::forget_idle(urgency_class& c) {
  auto const forget = [&c](double furthest) {
    if (c.flows.size() <= c.turns.size() + most_idle) return;
    std::erase_if(c.flows, [&](auto const& f) {
      bool const idle = f.second->tickets.empty() && f.second->tag <= furthest;
      if (idle && f.second->of) --f.second->of->clients;
      return idle;
    });
    std::erase_if(c.groups, [&](auto const& g) { return g.second->clients == 0 && g.second->joined <= furthest; });
  };
  forget(c.virtual_time);
  forget(std::numeric_limits<double>::infinity());
}

void request_queue::credit(const queue_place& place, double tokens) {
  auto* const its = known(place);
  if (!its) return;
  auto& c = class_of(place);
  auto& f = *its;
  share_out(c, -std::clamp(tokens, -use_average::most_tokens, use_average::most_tokens), c.since, duration::zero());
  if (!f.tickets.empty()) c.turns.erase(turn_of(f));
  double const before = f.tag;
  f.tag -= std::clamp(tokens, -use_average::most_tokens, use_average::most_tokens) / weight_of(f);
  if (f.tickets.empty()) return;
  // Who has just come waits for one request of a client that was charged too much, not for all that it has saved.
  auto const furthest = std::min(before, c.virtual_time - f.use.largest() / weight_of(f));
  f.tag = std::max(f.tag, furthest);
  c.turns.insert(turn_of(f));
}

void request_queue::observe_use(const queue_place& place, double reserved, double used) {
  use_.observe(reserved, used);
  if (auto* const f = known(place)) f->use.observe(reserved, used);
}

void request_queue::observe_answer(const queue_place& place, duration took) {
  if (auto* const f = known(place)) average(f->answer_time, took, answers_averaged);
}

duration request_queue::answer_time(const queue_place& place) const {
  auto const* const f = known(place);
  return f ? f->answer_time : duration::zero();
}

std::size_t request_queue::clients() const {
  std::size_t sum = 0;
  for (auto const& c : classes_) sum += c.flows.size();
  return sum;
}

double request_queue::cost() const {
  double sum = 0;
  for (auto const& c : classes_) sum += c.cost;
  return sum;
}

const request_queue::urgency_class* request_queue::overdue(time_point now, duration ageing) const {
  return out_of_turn_ || ageing <= duration::zero() ? nullptr : class_turns::overdue(classes_, now, ageing);
}

void request_queue::heads(time_point now, duration ageing, std::size_t most, std::vector<head>& into) const {
  into.clear();
  auto const* const first_class = overdue(now, ageing);
  auto const add = [&](const urgency_class& c, const turn& t, double kept) {
    auto const& first = t.whose->tickets.begin()->second;
    into.push_back({first.id, first.cost, static_cast<std::size_t>(&c - classes_.data()), t.arrival, c.since, kept,
                    c.saved >= first.cost});
  };
  if (first_class && most > 0) add(*first_class, *first_class->turns.begin(), 0);
  for (auto const& c : classes_) {
    double const kept = ageing > duration::zero() && c.size > 0 ? class_turns::kept_below(classes_, c) : 0;
    for (auto const& t : c.turns) {
      if (&c == first_class && &t == &*c.turns.begin()) continue;
      if (into.size() == most) return;
      add(c, t, kept);
    }
  }
}

std::optional<time_point> request_queue::next_due(time_point now, duration ageing) const {
  std::optional<time_point> next;
  if (ageing <= duration::zero()) return next;
  bool in_turn = true;
  for (auto const& c : classes_) {
    if (c.size == 0) continue;
    auto const due = c.since + ageing;
    if (!in_turn && due > now && (!next || due < *next)) next = due;
    in_turn = false;
  }
  return next;
}

std::optional<time_point> request_queue::due_at(const queue_place& place, duration ageing) const {
  auto const& c = class_of(place);
  bool const in_turn = std::none_of(classes_.data(), &c, [](const urgency_class& other) { return other.size > 0; });
  if (in_turn || ageing <= duration::zero()) return std::nullopt;
  auto const turns = static_cast<duration::rep>(ahead_in_class(c, place).requests) + 1;
  return c.since + ageing * turns;
}

request_queue::backlog request_queue::ahead_of(const queue_place& place, time_point now, duration ageing) const {
  backlog sum;
  auto const& own_class = class_of(place);
  auto const inside = ahead_in_class(own_class, place);
  if (auto const* const c = overdue(now, ageing)) {
    if (c == &own_class && inside.requests == 0) return sum;
    if (c > &own_class) sum = {1, c->turns.begin()->whose->tickets.begin()->second.cost};
  }
  for (auto const& c : classes_) {
    if (&c == &own_class) break;
    sum.requests += static_cast<double>(c.size);
    sum.tokens += c.cost;
  }
  sum.requests += inside.requests;
  sum.tokens += inside.tokens;
  return sum;
}

/// Of its own class.
request_queue::backlog request_queue::ahead_in_class(const urgency_class& own_class, const queue_place& place) const {
  auto const& own = *own_class.flows.at(place.client);
  backlog before;
  if (own.tickets.rbegin()->first == place.arrival) {
    before = {static_cast<double>(own.tickets.size() - 1), own.cost - own.tickets.rbegin()->second.cost};
  } else {
    for (auto const& [arrival, t] : own.tickets) {
      if (arrival >= place.arrival) break;
      before.requests += 1;
      before.tokens += t.cost;
    }
  }
  // Another client's tickets go first as long as their start tags are below this one's.
  double const start = own.tag + before.tokens * use_share_of(own) / weight_of(own);
  backlog others;
  std::size_t looked_at = 0;
  for (auto const& t : own_class.turns) {
    if (t.whose == &own) continue;
    if (t.tag > start || looked_at == most_looked_at) break;
    ++looked_at;
    auto const& f = *t.whose;
    double const first = f.tickets.begin()->second.cost;
    double const within = (start - t.tag) * weight_of(f) / use_share_of(f);
    double const tokens = std::min(f.cost, within + (t.arrival < place.arrival ? first : 0));
    others.tokens += tokens;
    others.requests += std::ceil(tokens / std::max(1.0, f.cost) * static_cast<double>(f.tickets.size()) - 1e-9);
  }
  double const all = static_cast<double>(own_class.turns.size() - 1);
  double const factor = looked_at == most_looked_at ? all / static_cast<double>(looked_at) : 1;
  return {before.requests + others.requests * factor, before.tokens + others.tokens * factor};
}

std::vector<ticket_id> request_queue::order(std::size_t most, time_point now, duration ageing) const {
  std::vector<ticket_id> ids;
  queue_preview ahead(*this, most, ageing);
  while (auto const next = ahead.next(now)) ids.push_back(next->id);
  return ids;
}

}  // namespace cooldown
