#include "cooldown/schedule/cerebras_limiter.hpp"

#include <algorithm>
#include <cmath>

#include "cooldown/dialect/rate_limit_headers.hpp"
#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

#include "limiter_parts.hpp"

namespace cooldown {
namespace {

// Of an answer that ended without usage, so much more than was relayed may have been generated.
constexpr double unseen_share = 0.25;
constexpr double unseen_tokens = 100;

// A refusal that does not say why is taken for lack of capacity so often; that clears sooner than a limit.
constexpr unsigned tried_for_load = 2;

// Refused although nothing else was sent for a window, a request may be larger than its limit is by now: others are
// tried for so long, and the first that fits shows the limit.
constexpr duration steps_aside_for = std::chrono::minutes{4};

// So many answers are asked for the dialect that they are in.
constexpr unsigned asked_for_dialect = 16;

// An answer pays for so many waiting tickets to be priced anew.
constexpr std::size_t priced_per_answer = 64;

}  // namespace

cerebras_limiter::cerebras_limiter(const limiter_settings& settings)
    : settings_(settings), agenda_(std::make_unique<agenda>()) {}
cerebras_limiter::~cerebras_limiter() = default;

void cerebras_limiter::configure(const limiter_settings& settings, time_point now) {
  settings_ = settings;
  for (auto& [name, s] : scopes_) {
    s->limits.configure(quota_of(s->model), now);
    change(*s);
  }
}

std::string cerebras_limiter::key_of(const scope_name& name) {
  std::string key(sizeof name.credential, '\0');
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>((name.credential >> (8 * i)) & 0xff);
  key += name.model;
  return key;
}

cerebras_limiter::scope* cerebras_limiter::find(const scope_name& name) const {
  auto const found = scopes_.find(key_of(name));
  return found == scopes_.end() ? nullptr : found->second.get();
}

quota_settings cerebras_limiter::quota_of(std::string_view model) const {
  auto of_model = settings_.quota;
  if (auto const found = settings_.models.find(model); found != settings_.models.end()) of_model.limits = found->second;
  return of_model;
}

cerebras_limiter::scope& cerebras_limiter::scope_of(const scope_name& name, time_point now) {
  auto key = key_of(name);
  auto found = scopes_.find(key);
  if (found == scopes_.end()) {
    if (scopes_.size() >= settings_.max_scopes) evict_one(now);
    auto made = std::make_unique<scope>(name.model, name.credential, quota_of(name.model), now);
    made->paused = all_paused_ || paused_models_.contains(name.model);
    found = scopes_.emplace(std::move(key), std::move(made)).first;
  }
  auto& s = *found->second;
  s.last_used = now;
  if (s.tickets == 0) rest(s);
  return s;
}

/// The scope of the credential in which the next one waits longest; that of the name itself before there is any.
cerebras_limiter::scope& cerebras_limiter::strictest(const scope_name& name, time_point now) {
  scope* found = nullptr;
  std::pair<bool, time_point> latest;
  for (auto i = succeeded_.lower_bound({name.credential, nullptr});
       i != succeeded_.end() && i->first == name.credential; ++i) {
    auto& s = *i->second;
    auto ahead = ahead_of(s, now);
    auto const first = ahead.release({.reserved = 1, .used = 1});
    auto const waiting = static_cast<double>(s.queue.size());
    std::pair const free{s.paused, std::max(first, ahead.after(waiting, {.reserved = waiting, .used = waiting}))};
    if (found != nullptr && free <= latest) continue;
    found = &s;
    latest = free;
  }
  if (found == nullptr) return scope_of(name, now);
  return scope_of({found->credential, found->model}, now);
}

/// Lowers a cost above the whole limit where it is only a guess: a missing maximum, a large one that accounts have been
/// seen to charge 16,384 for, or an input of which only the characters are known. False: even the least that it may
/// cost is above the limit.
bool cerebras_limiter::fit(ticket& t, double limit, time_point now) {
  t.too_large = ticket::doubt::none;
  if (t.cost <= limit) return true;
  auto& s = *t.owner;
  double const output = s.costs.least_output_tokens(t.size, now);
  if (s.costs.least_input_tokens(t.size) + output > limit) return false;
  if (t.input + output > limit) {
    t.too_large = ticket::doubt::input;
  } else if (t.size.max_output_tokens) {
    t.too_large = ticket::doubt::maximum;
  }
  t.cost = t.too_large == ticket::doubt::maximum ? std::ceil(t.input + output) : limit;
  t.input = std::min(t.input, t.cost - output);
  return true;
}

/// Estimates err to the careful side where a provider's meter is known or may be met.
bool cerebras_limiter::careful(const scope& s, time_point now) const {
  return settings_.quota.use_headers && (!s.limits.answered() || s.limits.decides(now) == basis::headers);
}

/// False: it can never fit.
bool cerebras_limiter::estimate(ticket& t, time_point now) {
  if (t.unweighed) return true;
  auto& s = *t.owner;
  t.input = s.costs.input_tokens(t.size);
  t.cost = s.costs.estimate(t.size, careful(s, now), now);
  auto const limit = s.limits.known_token_limit(now);
  if (!limit || fit(t, *limit, now)) return true;
  t.cost = *limit;
  t.too_large = ticket::doubt::input;
  return false;
}

/// Prices what waits anew after an answer that has changed what is known of costs: a long queue once in many answers,
/// so that none of them takes long.
void cerebras_limiter::estimate_again(scope& s, time_point now) {
  ++s.answers;
  if (s.priced || s.answers < s.queue.size() / priced_per_answer) return;
  s.priced = true;
  s.answers = 0;
  s.queue.reprice([&](ticket_id id) {
    auto& t = tickets_.at(id);
    estimate(t, now);
    return t.cost;
  });
}

/// Corrects what a released ticket costs its client's fair share.
void cerebras_limiter::charge(ticket& t, double tokens) {
  t.owner->queue.credit(t.place, t.charged - tokens);
  t.charged = tokens;
}

/// What a released ticket takes is known better than when it went.
void cerebras_limiter::revise(ticket& t, double cost, double input, time_point now) {
  auto& s = *t.owner;
  s.limits.revise(t.reservation, cost, input, now);
  t.cost = cost;
  if (cost < t.charged) charge(t, cost);
}

/// A header has shown what the ticket was charged: what waits and what is in flight will be charged like it.
void cerebras_limiter::observe_charge(ticket& t, const seen_charge& seen, time_point now) {
  auto& s = *t.owner;
  bool const changed = s.costs.observe_charge(t.size, seen, now);
  // By how much its input was charged less than we thought, is in it.
  if (seen.tokens > 0 && seen.tokens < t.cost) revise(t, seen.tokens, 0, now);
  if (!changed) return;
  s.priced = false;
  for (auto const id : s.released) {
    auto& other = tickets_.at(id);
    if (&other == &t) continue;
    auto better = other;
    estimate(better, now);
    if (better.cost >= other.cost) continue;
    revise(other, better.cost, better.input, now);
    other.input = better.input;
  }
}

/// Where a limit of which the headers give no window turns out to be another one's, its reading goes there.
void cerebras_limiter::find_windows(scope& s, rate_limit_snapshot& seen, time_point now) {
  auto const look = [&](resource counts, unnamed_window& w) {
    limit_id const before{counts, w.over()};
    auto* const found = seen.limits.find(before);
    if (!found || !found->unnamed || !w.observe(*found)) return;
    s.limits.forget(before, now);
    auto const reading = std::exchange(*found, {});
    if (auto* const right = seen.limits.get({counts, w.over()})) *right = reading;
  };
  look(resource::requests, s.requests_over);
  look(resource::tokens, s.tokens_over);
}

/// Once it is known who speaks, headers that do not name their window have those that are usual there.
void cerebras_limiter::recognize(scope& s, header_view headers, time_point now) {
  if (dialect() == cooldown::dialect::automatic && unrecognized_ < asked_for_dialect) {
    ++unrecognized_;
    seen_ = dialect_of_headers(headers);
  }
  if (std::exchange(s.speaks, dialect()) == dialect()) return;
  auto const usual = windows_of(dialect());
  auto const use = [&](resource counts, unnamed_window& w, window over) {
    if (w.over() == over) return;
    s.limits.forget({counts, w.over()}, now);
    w = unnamed_window(over);
  };
  use(resource::requests, s.requests_over, usual.requests);
  use(resource::tokens, s.tokens_over, usual.tokens);
}

const rate_limit_snapshot* cerebras_limiter::parse(scope& s, header_view headers, bool expected, time_point now,
                                                   wall_time wall, rate_limit_snapshot& into, std::string& problem) {
  if (!settings_.quota.use_headers) return nullptr;
  recognize(s, headers, now);
  auto parsed =
      parse_rate_limit_headers(headers, wall,
                               {.unnamed = {.requests = s.requests_over.over(), .tokens = s.tokens_over.over()},
                                .names = settings_.headers.empty() ? nullptr : &settings_.headers});
  auto* const error = std::get_if<rate_limit_header_error>(&parsed);
  into = error ? error->rest : std::get<rate_limit_snapshot>(parsed);
  find_windows(s, into, now);
  if (!error) {
    ++counters_.header_parsing_success;
    auto const main = into.at(resource::tokens, window::minute);
    if (main.remaining && *main.remaining > *main.limit)
      problem = "x-ratelimit-remaining-tokens-minute is above its limit: taken as it is";
    return &into;
  }
  bool const any = std::any_of(into.limits.begin(), into.limits.end(), [](auto const& l) { return l.value.any(); });
  bool const of_another = dialect() != cooldown::dialect::automatic && dialect() != cooldown::dialect::cerebras;
  if (of_another || !settings_.headers.empty()) {  // whose answers have other headers, or none
    if (any) ++counters_.header_parsing_success;
  } else if (expected || !error->absent) {
    // A refusal without any rate-limit field is what live accounts send; only an answer that should have them counts.
    ++counters_.header_parsing_failures;
    problem = std::move(error->message);
  }
  return any ? &into : nullptr;
}

observation cerebras_limiter::observe(ticket_id id, const answer& a, time_point now, wall_time wall) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where != ticket::state::released) return {};
  auto& t = found->second;
  auto& s = *t.owner;
  latest_ = &s;
  change(s);
  observation result;
  rate_limit_snapshot snapshot;
  std::optional<wall_time> date;
  for (auto const& f : a.headers)
    if (iequals(f.name, "date")) date = parse_http_date(trim(f.value));
  s.clock.observe(date, wall, now);
  s.limits.align(s.clock.offset());
  // Dates and epochs are the provider's: ours may be wrong, or have just been set.
  auto const theirs = s.clock.at(now);
  bool const success = a.status >= 200 && a.status < 300;
  // Of an unread one they may be another model's.
  auto const* const parsed =
      t.unread ? nullptr : parse(s, a.headers, success, now, theirs, snapshot, result.header_problem);
  if (a.status == 429) {
    ++s.totals.refused;
    auto after = observe_refusal(id, t, a, parsed, now, theirs);
    after.header_problem = std::move(result.header_problem);
    return after;
  }
  bool const first = success && !s.limits.answered();
  auto const charge = s.limits.observe(t.reservation, parsed, success ? fate::charged : fate::unknown, now);
  if (success && !t.unread) {
    s.succeeded = true;
    succeeded_.insert({s.credential, &s});
    if (t.teaches_costs()) s.costs.observe_admission(t.size);
    // Admitted, it was not charged the maximum that it could never have fitted.
    bool const cap_shown = t.too_large == ticket::doubt::maximum && !(charge && charge->alone);
    if (cap_shown) {
      observe_charge(t, {.tokens = t.cost, .alone = true}, now);
    } else if (charge && t.teaches_costs()) {
      observe_charge(t, *charge, now);
    }
    if (first) s.priced = false;
    estimate_again(s, now);
  }
  return result;
}

observation cerebras_limiter::observe_refusal(ticket_id id, ticket& t, const answer& a,
                                              const rate_limit_snapshot* snapshot, time_point now, wall_time wall) {
  auto& s = *t.owner;
  auto const why = classify_refusal(a.error, a.headers, wall, s.model);
  bool const too_large = why.what == refusal::kind::too_large;
  s.limits.observe(t.reservation, snapshot, why.what == refusal::kind::quota ? fate::refused : fate::unknown, now);
  bool const may_be_load =
      !why.counts || (t.capacity_refusals < tried_for_load && !s.limits.is_measured({*why.counts, window::minute}));
  if (why.what == refusal::kind::load && why.limit > 0U) s.limits.takes_at_once(*why.limit, now);
  if (why.what == refusal::kind::load && may_be_load) return defer(id, t, why.retry_after, now);
  if (why.what == refusal::kind::incurable) {
    s.limits.uncharged(t.reservation, now);
    t.reservation = 0;
    return {.incurable = true};
  }
  bool const of_tokens = why.counts.value_or(resource::tokens) == resource::tokens;
  bool const may_be_size = of_tokens && !why.burst && why.over.value_or(window::minute) == window::minute;
  if (too_large || (t.too_large != ticket::doubt::none && may_be_size && !why.fits)) {
    if (t.too_large == ticket::doubt::maximum) s.costs.observe_whole_maximum(now);
    auto const limit = why.limit ? static_cast<double>(*why.limit) : s.limits.known_token_limit(now).value_or(0);
    refused const no{.why = reason::request_too_large_for_limit,
                     .retry_after = std::nullopt,
                     .cost = s.costs.estimate(t.size, true, now),
                     .limit = limit};
    s.limits.refused_for_size(t.reservation, now);
    t.reservation = 0;
    return {.what = verdict::refuse, .refusal = no, .header_problem = {}};
  }
  // Of those that were sent together one tells as much as all.
  if (of_tokens && !snapshot && t.teaches_costs() && t.released >= s.last_refusal) s.costs.observe_refusal(t.size);
  if (of_tokens) s.last_refusal = now;
  s.limits.refused(t.reservation, why, snapshot, now);
  t.reservation = 0;
  if (alone(t, now) > t.deadline) return {};
  if (may_be_size && !s.queue.empty() && s.limits.is_at_a_loss(now)) t.not_before = now + steps_aside_for;
  take_back(id, t, now);
  enqueue(id, t, now);
  return {.what = verdict::queue_again, .refusal = {}, .header_problem = {}};
}

/// The provider refused it: it will wait again.
void cerebras_limiter::take_back(ticket_id id, ticket& t, time_point now) {
  ++counters_.upstream_refusals;
  put_back(id, t, now);
}

/// Its flight is over without an answer to its client.
void cerebras_limiter::put_back(ticket_id id, ticket& t, time_point now) {
  end_flight(id, t);
  charge(t, 0);
  estimate(t, now);
}

void cerebras_limiter::settle(ticket_id id, std::optional<std::uint64_t> actual,
                              std::optional<std::uint64_t> prompt_tokens, time_point now, std::uint64_t cached_tokens) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where != ticket::state::released) return;
  if (!actual) return leave(id, now);
  auto& t = found->second;
  usage used;
  used.total = t.owner->limits.believable(static_cast<double>(*actual), t.cost, now);
  t.owner->totals.tokens_used += *used.total;
  if (*actual > 0) {
    if (t.teaches_costs()) t.owner->costs.observe_use(t.cost, *used.total);
    t.owner->queue.observe_use(t.place, t.cost, *used.total);
    t.owner->queue.observe_answer(t.place, now - t.released);
  }
  double const input = prompt_tokens ? static_cast<double>(*prompt_tokens) : t.input;
  if (t.teaches_costs()) t.owner->costs.observe_output(t.cost - t.input, *used.total - input, *actual > 0);
  charge(t, *used.total);
  if (prompt_tokens) {
    bool const beyond = static_cast<double>(*prompt_tokens) > *used.total;
    auto const prompt = beyond ? static_cast<std::uint64_t>(*used.total) : *prompt_tokens;
    used.input = static_cast<double>(prompt);
    used.cached = static_cast<double>(std::min(cached_tokens, prompt));
    if (t.teaches_costs() && t.owner->costs.observe_prompt(t.size, prompt)) t.owner->priced = false;
  }
  t.owner->limits.settle(t.reservation, used, now);
  t.reservation = 0;
  estimate_again(*t.owner, now);
  finish(id);
}

void cerebras_limiter::renew(ticket_id id, time_point now, bool sent) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where != ticket::state::released) return;
  auto& t = found->second;
  if (sent) {
    t.owner->limits.settle(t.reservation, {.total = probable_use(t, std::nullopt), .input = {}, .cached = 0}, now);
  } else {
    t.owner->limits.cancel(t.reservation, now);
  }
  t.reservation = 0;
  put_back(id, t, now);
  t.renewed = true;
  enqueue(id, t, now);
}

void cerebras_limiter::not_sent(ticket_id id, time_point now) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end() || found->second.where != ticket::state::released) return;
  auto& t = found->second;
  t.owner->limits.cancel(t.reservation, now);
  charge(t, 0);
  t.reservation = 0;
  finish(id);
}

double cerebras_limiter::probable_use(const ticket& t, std::optional<std::uint64_t> relayed) {
  auto const& costs = t.owner->costs;
  double used = t.cost;
  if (relayed) {
    used = t.input + static_cast<double>(*relayed) * (1 + unseen_share) + unseen_tokens;
  } else if (costs.use_known()) {
    used = t.cost * costs.use_share();
  }
  return std::min(used, t.cost);
}

void cerebras_limiter::leave(ticket_id id, time_point now, std::optional<std::uint64_t> relayed) {
  auto const found = tickets_.find(id);
  if (found == tickets_.end()) return;
  auto& t = found->second;
  if (t.where != ticket::state::released) {
    withdraw(id, t);
    keep_arrival(t, now);
  } else {
    auto const used = probable_use(t, relayed);
    if (relayed) {
      // The share is of what was had: what the provider may have generated beyond is nobody's.
      double const had = std::min(t.cost, t.input + static_cast<double>(*relayed));
      t.owner->queue.observe_use(t.place, t.cost, had);
      charge(t, had);
    }
    t.owner->limits.settle(t.reservation, {.total = used, .input = {}, .cached = 0}, now);
  }
  finish(id);
}

void cerebras_limiter::finish(ticket_id id) {
  auto const found = tickets_.find(id);
  auto& s = *found->second.owner;
  if (found->second.where == ticket::state::released) end_flight(id, found->second);
  tickets_.erase(found);
  if (--s.tickets == 0) rest(s);
}

void cerebras_limiter::end_flight(ticket_id id, ticket& t) {
  --in_flight_;
  t.owner->released.erase(id);
  change(*t.owner);
}

std::optional<std::string> cerebras_limiter::update_from_headers(const scope_name& name, header_view headers,
                                                                 time_point now, wall_time wall) {
  rate_limit_snapshot snapshot;
  std::string problem;
  auto& s = scope_of(name, now);
  latest_ = &s;
  if (parse(s, headers, true, now, wall, snapshot, problem)) s.limits.update(snapshot, now);
  change(s);
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

bool cerebras_limiter::pause(const scope_name& name, bool paused) {
  auto* const s = find(name);
  if (s == nullptr) return false;
  s->paused = paused;
  change(*s);
  if (!paused && s->tickets == 0) rest(*s);
  return true;
}

void cerebras_limiter::pause_all(bool paused) {
  all_paused_ = paused;
  for (auto const& [key, s] : scopes_) pause({s->credential, s->model}, paused || paused_models_.contains(s->model));
}

bool cerebras_limiter::pause_model(std::string_view model, bool paused) {
  bool found = false;
  for (auto const& [key, s] : scopes_)
    if (s->model == model) found = pause({s->credential, model}, paused) || found;
  if (!paused) {
    auto const held = paused_models_.find(model);
    found = found || held != paused_models_.end();
    if (held != paused_models_.end()) paused_models_.erase(held);
  } else if (found) {
    paused_models_.emplace(model);
  }
  return found;
}

std::vector<scope_report> cerebras_limiter::report(time_point now, std::size_t most_waiting) {
  std::vector<scope_report> out;
  for (auto const& [key, s] : scopes_) {
    scope_report r{.model = s->model,
                   .credential = s->credential,
                   .queued = s->queue.size() + s->deferred.size(),
                   .in_flight = s->limits.in_flight(),
                   .tokens = status_of(*s, now),
                   .budgets = {},
                   .binding = std::nullopt,
                   .tokens_per_char = s->costs.tokens_per_char(),
                   .use_share = s->costs.use_share(),
                   .concurrency_limit = s->limits.concurrency_limit(now),
                   .decides = s->limits.decides(now),
                   .paused = s->paused,
                   .succeeded = s->succeeded,
                   .held_by = constraint::none,
                   .totals = s->totals,
                   .waiting = waiting_of(*s, most_waiting, now)};
    auto const* const next = next_waiting(*s, now);
    if (next != nullptr) r.held_by = held_by(*next, now);
    r.binding = s->limits.binding(next != nullptr ? token_cost{next->cost, next->input} : token_cost{0}, now);
    for (auto const& [counts, over] : s->limits.limits()) {
      double const level = s->limits.level(counts, over, now);
      auto const& b = *s->limits.find(counts, over);
      r.budgets.push_back(
          {counts, over, b.limit(), level, b.model(), is_proven(b.believed()), b.reported(), b.next_reset()});
    }
    out.push_back(std::move(r));
  }
  return out;
}

std::size_t cerebras_limiter::entries() const {
  std::size_t sum = tickets_.size() + arrivals_.size();
  for (auto const& [key, s] : scopes_) sum += 1 + s->limits.entries() + s->queue.clients();
  return sum;
}

double cerebras_limiter::cost_of(ticket_id id) const {
  auto const found = tickets_.find(id);
  return found == tickets_.end() ? 0 : found->second.cost;
}

}  // namespace cooldown
