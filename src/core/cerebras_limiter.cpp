#include "cooldown/core/cerebras_limiter.hpp"

#include <algorithm>
#include <cmath>

#include "cooldown/core/ascii.hpp"

namespace cooldown {

struct cerebras_limiter::scope {
  scope(std::string_view model_name, std::uint64_t hash, const quota_settings& settings, time_point now)
      : model(model_name), credential(hash), limits(settings, now), last_used(now) {}

  std::string model;
  std::uint64_t credential;
  quota limits;
  cost_estimator costs;
  request_queue queue;
  std::size_t tickets = 0;  // in any state
  time_point last_used;
  bool charges_maximum = false;  // an oversize request was refused: the documented rule holds
};

struct cerebras_limiter::ticket {
  scope* owner = nullptr;
  request_size size;
  double cost = 0;
  double input = 0;  // the part of it that the input is taken for
  std::size_t bytes = 0;
  time_point submitted;
  time_point deadline;
  queue_key key;
  enum class state { waiting, released } where = state::waiting;
  bool waited = false;    // at any time
  bool oversize = false;  // fits only if the provider charges less than the maximum asked for
  unsigned load_refusals = 0;
  quota::reservation_id reservation = 0;
};

cerebras_limiter::cerebras_limiter(const limiter_settings& settings) : settings_(settings) {}
cerebras_limiter::~cerebras_limiter() = default;

void cerebras_limiter::configure(const limiter_settings& settings, time_point now) {
  settings_ = settings;
  for (auto& [name, s] : scopes_) s->limits.configure(settings.quota, now);
}

namespace {

std::string key_of(const scope_name& name) {
  std::string key(sizeof name.credential, '\0');
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>((name.credential >> (8 * i)) & 0xff);
  key += name.model;
  return key;
}

}  // namespace

cerebras_limiter::scope* cerebras_limiter::find(const scope_name& name) const {
  auto const found = scopes_.find(key_of(name));
  return found == scopes_.end() ? nullptr : found->second.get();
}

cerebras_limiter::scope& cerebras_limiter::scope_of(const scope_name& name, time_point now) {
  auto key = key_of(name);
  auto found = scopes_.find(key);
  if (found == scopes_.end()) {
    if (scopes_.size() >= settings_.max_scopes) evict_one();
    found = scopes_.emplace(std::move(key), std::make_unique<scope>(name.model, name.credential, settings_.quota, now))
                .first;
  }
  found->second->last_used = now;
  return *found->second;
}

/// Forgets the longest unused scope without tickets. With tickets in all of them the map grows by one: there are never
/// more scopes than tickets and the bound together.
void cerebras_limiter::evict_one() {
  auto oldest = scopes_.end();
  for (auto i = scopes_.begin(); i != scopes_.end(); ++i)
    if (i->second->tickets == 0 && (oldest == scopes_.end() || i->second->last_used < oldest->second->last_used))
      oldest = i;
  if (oldest == scopes_.end()) return;
  if (latest_ == oldest->second.get()) latest_ = nullptr;
  scopes_.erase(oldest);
}

/// Lowers a cost above the whole limit where it is only a guess: a missing maximum, or a large one that accounts have
/// been seen to charge 16,384 for. The provider's refusal settles the second question for the scope.
bool cerebras_limiter::fit(ticket& t, double limit) {
  auto& s = *t.owner;
  double const input = s.costs.input_tokens(t.size);
  if (input > limit) return false;
  if (!t.size.max_output_tokens) {
    t.cost = limit;
    return true;
  }
  double const capped = std::ceil(input + cost_estimator::highest_default);
  if (s.charges_maximum || t.size.choices > 1 || capped > limit) return false;
  t.cost = std::min(t.cost, capped);
  t.oversize = true;
  return true;
}

decision cerebras_limiter::submit(const ticket_facts& facts, time_point now) {
  auto& s = scope_of(facts.scope, now);
  ticket t;
  t.owner = &s;
  t.size = facts.size;
  t.input = s.costs.input_tokens(facts.size);
  t.cost = s.costs.estimate(facts.size, careful(s, now));
  t.bytes = facts.body_bytes;
  t.submitted = now;
  t.deadline = now + facts.max_wait;
  t.key = {.arrival = next_arrival_};
  if (auto const limit = s.limits.known_token_limit(); limit && t.cost > *limit && !fit(t, *limit))
    return refused{
        .why = reason::request_too_large_for_limit, .retry_after = std::nullopt, .cost = t.cost, .limit = *limit};
  double const cost = t.cost;
  bool const first = s.queue.empty() && may_go(in_flight_) && s.limits.ready_at(cost, duration::zero(), now) <= now;
  if (!first) {
    auto const expected =
        s.limits.forecast(cost, static_cast<double>(s.queue.size()), s.queue.cost() * s.costs.use_share(), now);
    // How much of a reservation is really used is not known at first: until it is, what is ahead refuses nobody.
    auto const certain = s.costs.use_known() ? expected : s.limits.forecast(cost, 0, 0, now);
    if (certain - now > facts.max_wait || facts.max_wait <= duration::zero())
      return refused{.why = reason::queue_timeout, .retry_after = std::max(duration{1}, expected - now), .cost = cost};
    if (queued_ >= settings_.max_depth || queued_bytes_ + facts.body_bytes > settings_.max_bytes)
      return refused{.why = reason::queue_full,
                     .retry_after = std::max(duration{std::chrono::seconds{1}}, expected - now)};
    auto const id = next_ticket_++;
    ++next_arrival_;
    ++s.tickets;
    auto& placed = tickets_.emplace(id, t).first->second;
    enqueue(id, placed);
    return queued{.id = id, .position = s.queue.size(), .expected = expected};
  }
  auto const id = next_ticket_++;
  ++next_arrival_;
  ++s.tickets;
  release(id, tickets_.emplace(id, t).first->second, now);
  return go{.id = id};
}

/// Estimates err to the careful side where a provider's meter is known or may be met.
bool cerebras_limiter::careful(const scope& s, time_point now) const {
  return settings_.quota.use_headers && (!s.limits.answered() || s.limits.decides(now) == basis::headers);
}

void cerebras_limiter::estimate(ticket& t, time_point now) {
  auto& s = *t.owner;
  t.input = s.costs.input_tokens(t.size);
  t.cost = s.costs.estimate(t.size, careful(s, now));
  if (auto const limit = s.limits.known_token_limit()) t.cost = std::min(t.cost, *limit);
}

/// Something was learned that changes what waiting tickets will cost.
void cerebras_limiter::estimate_again(scope& s, time_point now) {
  s.queue.for_each([&](ticket_id id) {
    auto& t = tickets_.at(id);
    double const before = t.cost;
    estimate(t, now);
    s.queue.adjust(t.cost - before);
  });
}

void cerebras_limiter::enqueue(ticket_id id, ticket& t) {
  t.where = ticket::state::waiting;
  t.waited = true;
  t.owner->queue.push(t.key, id, t.cost);
  waiting_.insert(t.owner);
  deadlines_.insert({t.deadline, id});
  ++queued_;
  queued_bytes_ += t.bytes;
}

void cerebras_limiter::dequeue(ticket_id id, ticket& t) {
  t.owner->queue.erase(t.key, id, t.cost);
  if (t.owner->queue.empty()) waiting_.erase(t.owner);
  deadlines_.erase({t.deadline, id});
  --queued_;
  queued_bytes_ -= t.bytes;
}

void cerebras_limiter::release(ticket_id, ticket& t, time_point now) {
  auto& used =
      t.owner->limits.decides(now) == basis::headers ? counters_.dynamic_timings_used : counters_.fallback_timings_used;
  ++used;
  ++counters_.released;
  if (t.waited) ++counters_.waited;
  t.where = ticket::state::released;
  t.reservation = t.owner->limits.reserve(t.cost, now);
  ++in_flight_;
}

/// The scope whose head has waited longest among those whose head may go now.
cerebras_limiter::scope* cerebras_limiter::ready_scope(time_point now) {
  scope* best = nullptr;
  for (auto* s : waiting_) {
    if (best && best->queue.front_key() < s->queue.front_key()) continue;
    auto const& head = tickets_.at(s->queue.front());
    if (s->limits.ready_at(head.cost, now - head.submitted, now) <= now) best = s;
  }
  return best;
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
    auto* const s = ready_scope(now);
    if (!s) return;
    auto const id = s->queue.front();
    auto& t = tickets_.at(id);
    dequeue(id, t);
    release(id, t, now);
    events.push_back({.id = id, .refusal = std::nullopt});
  }
}

bool cerebras_limiter::refuse_overdue(time_point now, std::vector<ticket_event>& events) {
  bool any = false;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto const id = deadlines_.begin()->second;
    auto& t = tickets_.at(id);
    auto const expected = t.owner->limits.forecast(t.cost, 0, 0, now);
    refused const why{.why = reason::queue_timeout,
                      .retry_after = std::max(duration{std::chrono::seconds{1}}, expected - now),
                      .cost = t.cost};
    dequeue(id, t);
    finish(id);
    events.push_back({.id = id, .refusal = why});
    any = true;
  }
  return any;
}

std::optional<time_point> cerebras_limiter::next_deadline(time_point now) {
  if (waiting_.empty()) return std::nullopt;
  auto next = deadlines_.begin()->first;
  if (may_go(in_flight_)) {
    for (auto* s : waiting_) {
      auto const& head = tickets_.at(s->queue.front());
      next = std::min(next, s->limits.ready_at(head.cost, now - head.submitted, now));
    }
  }
  return next;
}

const rate_limit_snapshot* cerebras_limiter::parse(header_view headers, bool expected, wall_time wall,
                                                   rate_limit_snapshot& into, std::string& problem) {
  if (!settings_.quota.use_headers) return nullptr;
  auto parsed = parse_rate_limit_headers(headers, wall);
  if (auto* const snapshot = std::get_if<rate_limit_snapshot>(&parsed)) {
    ++counters_.header_parsing_success;
    into = *snapshot;
    auto const& main = into.at(resource::tokens, window::minute);
    if (main.remaining && *main.remaining > *main.limit)
      problem = "x-ratelimit-remaining-tokens-minute is above its limit: taken as it is";
    return &into;
  }
  auto& error = std::get<rate_limit_header_error>(parsed);
  // A refusal without any rate-limit field is what live accounts send; only an answer that should have them counts.
  if (expected || !error.absent) {
    ++counters_.header_parsing_failures;
    problem = std::move(error.message);
  }
  return nullptr;
}

observation cerebras_limiter::observe(ticket_id id, const answer& a, time_point now, wall_time wall) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where == ticket::state::waiting) return {};
  auto& t = found->second;
  auto& s = *t.owner;
  latest_ = &s;
  observation result;
  rate_limit_snapshot snapshot;
  bool const success = a.status >= 200 && a.status < 300;
  auto const* const parsed = parse(a.headers, success, wall, snapshot, result.header_problem);
  if (a.status == 429) {
    auto after = observe_refusal(id, t, a, parsed, now, wall);
    after.header_problem = std::move(result.header_problem);
    return after;
  }
  bool const first = success && !s.limits.answered();
  auto const charge = s.limits.observe(t.reservation, parsed, success, now);
  if (success) {
    bool changed = false;
    if (charge) {
      changed = s.costs.observe_charge(t.size, *charge);
    } else if (t.oversize) {
      changed = s.costs.observe_charge(t.size, t.cost);
    }
    if (changed || first) estimate_again(s, now);
  }
  return result;
}

observation cerebras_limiter::observe_refusal(ticket_id id, ticket& t, const answer& a,
                                              const rate_limit_snapshot* snapshot, time_point now, wall_time wall) {
  auto& s = *t.owner;
  auto const why = classify_refusal(a.error, a.headers, wall);
  s.limits.observe(t.reservation, snapshot, false, now);
  bool again = why.what != refusal::kind::incurable;
  for (auto const& f : a.headers)
    if (iequals(f.name, "x-should-retry") && f.value == "false") again = false;
  if (why.what == refusal::kind::load && ++t.load_refusals > settings_.load_retries) again = false;
  if (!again) {
    s.limits.cancel(t.reservation, now);
    t.reservation = 0;
    return {};
  }
  if (t.oversize && why.what == refusal::kind::quota && why.counts.value_or(resource::tokens) == resource::tokens) {
    s.charges_maximum = true;
    refused const too_large{.why = reason::request_too_large_for_limit,
                            .retry_after = std::nullopt,
                            .cost = s.costs.estimate(t.size, true),
                            .limit = s.limits.known_token_limit().value_or(0)};
    s.limits.cancel(t.reservation, now);
    t.reservation = 0;
    return {.what = verdict::refuse, .refusal = too_large, .header_problem = {}};
  }
  if (why.what == refusal::kind::quota && !snapshot && why.counts.value_or(resource::tokens) == resource::tokens)
    s.costs.observe_refusal(t.size);
  s.limits.refused(t.reservation, why, snapshot != nullptr, now);
  t.reservation = 0;
  if (s.limits.forecast(t.cost, 0, 0, now) > t.deadline) return {};
  ++counters_.upstream_refusals;
  --in_flight_;
  estimate(t, now);
  enqueue(id, t);
  return {.what = verdict::queue_again, .refusal = {}, .header_problem = {}};
}

void cerebras_limiter::settle(ticket_id id, std::optional<std::uint64_t> actual,
                              std::optional<std::uint64_t> prompt_tokens, time_point now) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where == ticket::state::waiting) return;
  auto& t = found->second;
  std::optional<double> cost;
  if (actual) {
    cost = static_cast<double>(*actual);
    if (*actual > 0) t.owner->costs.observe_use(t.cost, *cost);
  }
  double input_excess = 0;
  if (prompt_tokens) {
    input_excess = std::max(0.0, t.input - static_cast<double>(*prompt_tokens));
    t.owner->costs.observe_prompt(t.size, *prompt_tokens);
  }
  t.owner->limits.settle(t.reservation, cost, input_excess, now);
  t.reservation = 0;
  finish(id);
}

void cerebras_limiter::not_sent(ticket_id id, time_point now) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where == ticket::state::waiting) return;
  found->second.owner->limits.cancel(found->second.reservation, now);
  found->second.reservation = 0;
  finish(id);
}

void cerebras_limiter::leave(ticket_id id, time_point now) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end()) return;
  auto& t = found->second;
  if (t.where == ticket::state::waiting) {
    dequeue(id, t);
  } else {
    t.owner->limits.settle(t.reservation, std::nullopt, 0, now);
  }
  finish(id);
}

void cerebras_limiter::finish(ticket_id id) {
  auto const found = tickets_.find(id);
  if (found->second.where == ticket::state::released) --in_flight_;
  --found->second.owner->tickets;
  tickets_.erase(found);
}

std::optional<std::string> cerebras_limiter::update_from_headers(const scope_name& name, header_view headers,
                                                                 time_point now, wall_time wall) {
  rate_limit_snapshot snapshot;
  std::string problem;
  auto& s = scope_of(name, now);
  latest_ = &s;
  if (parse(headers, true, wall, snapshot, problem)) s.limits.update(snapshot, now);
  if (problem.empty()) return std::nullopt;
  return problem;
}

scope_status cerebras_limiter::status_of(scope& s, time_point now) {
  scope_status out;
  out.last_update = s.limits.last_update();
  if (auto const* tokens = s.limits.find(resource::tokens, window::minute); tokens && out.last_update) {
    out.remaining_tokens = std::max(0.0, std::floor(s.limits.level(resource::tokens, window::minute, now)));
    out.current_token_limit = tokens->limit();
    out.next_reset = tokens->next_reset();
  }
  return out;
}

scope_status cerebras_limiter::status(const scope_name& name, time_point now) {
  auto* const s = find(name);
  return s ? status_of(*s, now) : scope_status{};
}

scope_status cerebras_limiter::latest_status(time_point now) {
  return latest_ ? status_of(*latest_, now) : scope_status{};
}

std::vector<scope_report> cerebras_limiter::report(time_point now) {
  std::vector<scope_report> out;
  for (auto const& [key, s] : scopes_) {
    scope_report r{.model = s->model,
                   .credential = s->credential,
                   .queued = s->queue.size(),
                   .in_flight = s->limits.in_flight(),
                   .tokens = status_of(*s, now),
                   .budgets = {},
                   .tokens_per_char = s->costs.tokens_per_char(),
                   .decides = s->limits.decides(now)};
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      auto const counts = resource_of(slot);
      auto const over = window_of(slot);
      double const level = s->limits.level(counts, over, now);
      if (auto const* b = s->limits.find(counts, over))
        r.budgets.push_back({counts, over, b->limit(), level, b->model(), b->reported(), b->next_reset()});
    }
    out.push_back(std::move(r));
  }
  return out;
}

double cerebras_limiter::cost_of(ticket_id id) const {
  auto const found = tickets_.find(id);
  return found == tickets_.end() ? 0 : found->second.cost;
}

}  // namespace cooldown
