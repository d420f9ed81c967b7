#include "cooldown/core/request_queue.hpp"

#include <algorithm>
#include <cmath>
#include <queue>

namespace cooldown {
namespace {

// A weight of nothing would never go, and one without bound would leave nothing.
constexpr double least_weight = 0.001;
constexpr double most_weight = 1'000;

// Clients that do not wait are remembered while they have had more than their share; beyond so many, nobody is.
constexpr std::size_t most_idle = 1'024;

// A forecast looks at so many clients; the others are taken for as many of the same.
constexpr std::size_t most_looked_at = 128;

}  // namespace

void request_queue::push(const queue_place& place, ticket_id id, double cost) {
  auto& c = class_of(place);
  auto& slot = c.flows[place.client];
  if (!slot) {
    slot = std::make_unique<flow>();
    slot->tag = c.virtual_time;
  }
  auto& f = *slot;
  f.weight = place.weight >= least_weight ? std::min(place.weight, most_weight) : least_weight;  // NaN: the least
  if (f.tickets.empty()) {
    f.tag = std::max(f.tag, c.virtual_time);
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

void request_queue::release(const queue_place& place) {
  auto& c = class_of(place);
  auto& f = *c.flows.at(place.client);
  double const cost = take_out(c, f, place);
  c.virtual_time = std::max(c.virtual_time, f.tag);
  f.tag += cost / f.weight;
  if (!f.tickets.empty()) {
    c.turns.insert(turn_of(f));
  } else {
    forget_idle(c);
  }
}

/// A client that has had no more than its share is like one that was never seen.
void request_queue::forget_idle(urgency_class& c) {
  if (c.flows.size() <= c.turns.size() + most_idle) return;
  std::erase_if(c.flows, [&](auto const& f) { return f.second->tickets.empty() && f.second->tag <= c.virtual_time; });
  if (c.flows.size() <= c.turns.size() + most_idle) return;
  std::erase_if(c.flows, [](auto const& f) { return f.second->tickets.empty(); });
}

void request_queue::credit(const queue_place& place, double tokens) {
  auto& c = class_of(place);
  auto const found = c.flows.find(place.client);
  if (found == c.flows.end()) return;
  auto& f = *found->second;
  if (!f.tickets.empty()) c.turns.erase(turn_of(f));
  f.tag -= tokens / f.weight;
  if (f.tickets.empty()) return;
  f.tag = std::max(f.tag, c.virtual_time);  // nobody goes before one who has just come for having been charged too much
  c.turns.insert(turn_of(f));
}

double request_queue::cost() const {
  double sum = 0;
  for (auto const& c : classes_) sum += c.cost;
  return sum;
}

void request_queue::heads(time_point now, duration ageing, std::size_t most, std::vector<head>& into) const {
  into.clear();
  struct ranked {
    std::size_t rank;
    std::uint64_t arrival;
    const urgency_class* c;
    bool operator<(const ranked& other) const {
      return std::pair(rank, arrival) < std::pair(other.rank, other.arrival);
    }
  };
  std::array<ranked, urgency_count> order{};
  std::size_t count = 0;
  for (std::size_t urgency = 0; urgency < urgency_count; ++urgency) {
    auto const& c = classes_[urgency];
    if (c.turns.empty()) continue;
    auto const& [arrival, first] = *c.turns.begin()->whose->tickets.begin();
    auto const waited = std::max(duration::zero(), now - first.submitted);
    auto const risen = ageing > duration::zero() ? static_cast<std::size_t>(waited / ageing) : 0;
    ranked const r{urgency - std::min(urgency, risen), arrival, &c};
    auto at = count++;
    for (; at > 0 && r < order[at - 1]; --at) order[at] = order[at - 1];
    order[at] = r;
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (auto const& t : order[i].c->turns) {
      if (into.size() == most) return;
      auto const& first = t.whose->tickets.begin()->second;
      into.push_back({first.id, first.cost, order[i].rank, t.arrival});
    }
  }
}

request_queue::backlog request_queue::ahead_of(const queue_place& place) const {
  backlog sum;
  auto const& own_class = class_of(place);
  for (auto const& c : classes_) {
    if (&c == &own_class) break;
    sum.requests += static_cast<double>(c.size);
    sum.tokens += c.cost;
  }
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
  sum.requests += before.requests;
  sum.tokens += before.tokens;
  // Another client's tickets go first as long as their start tags are below this one's.
  double const start = own.tag + before.tokens / own.weight;
  backlog others;
  std::size_t looked_at = 0;
  for (auto const& t : own_class.turns) {
    if (t.whose == &own) continue;
    if (t.tag > start || looked_at == most_looked_at) break;
    ++looked_at;
    auto const& f = *t.whose;
    double const first = f.tickets.begin()->second.cost;
    double const tokens = std::min(f.cost, (start - t.tag) * f.weight + (t.arrival < place.arrival ? first : 0));
    others.tokens += tokens;
    others.requests += std::ceil(tokens / std::max(1.0, f.cost) * static_cast<double>(f.tickets.size()) - 1e-9);
  }
  double const all = static_cast<double>(own_class.turns.size() - 1);
  double const factor = looked_at == most_looked_at ? all / static_cast<double>(looked_at) : 1;
  sum.requests += others.requests * factor;
  sum.tokens += others.tokens * factor;
  return sum;
}

std::vector<ticket_id> request_queue::order(std::size_t most) const {
  std::vector<ticket_id> ids;
  struct next {
    double tag;
    std::uint64_t arrival;
    const flow* whose;
    std::map<std::uint64_t, waiting>::const_iterator at;
    bool operator<(const next& other) const {
      return std::pair(tag, arrival) > std::pair(other.tag, other.arrival);  // a heap's top is its greatest
    }
  };
  for (auto const& c : classes_) {
    std::priority_queue<next> turns;
    for (auto const& t : c.turns) turns.push({t.tag, t.arrival, t.whose, t.whose->tickets.begin()});
    while (!turns.empty()) {
      if (ids.size() == most) return ids;
      auto t = turns.top();
      turns.pop();
      ids.push_back(t.at->second.id);
      t.tag += t.at->second.cost / t.whose->weight;
      if (++t.at == t.whose->tickets.end()) continue;
      t.arrival = t.at->first;
      turns.push(t);
    }
  }
  return ids;
}

}  // namespace cooldown
