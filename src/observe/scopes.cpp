#include <algorithm>
#include <map>
#include <utility>

#include "cooldown/observe/report.hpp"

namespace cooldown::observe {
namespace {

/// The minimum wait for the breaker; nullopt while trials are in progress.
void wait_for_breaker(scope_report& s, std::optional<duration> opens_in) {
  if (s.paused) return;
  if (s.held_by == constraint::in_flight) s.held_by = constraint::circuit_breaker;
  for (auto& t : s.waiting) {
    if (t.expected_in && (!opens_in || *t.expected_in >= *opens_in)) continue;
    t.expected_in = opens_in;
    t.held_by = constraint::circuit_breaker;
  }
  if (!s.waiting.empty()) s.held_by = s.waiting.front().held_by;
}

std::vector<scope_report> scopes_at(const destination_source& at, time_point now, std::size_t most_waiting) {
  using state = circuit_breaker::state;
  auto scopes = at.limiter.report(now, most_waiting);
  auto const breaker = at.breaker.current(now);
  std::optional<duration> opens_in;
  if (breaker == state::open) opens_in = at.breaker.retry_at(now) - now;
  std::map<std::pair<std::uint64_t, std::string_view>, scope_report*> by_name;
  for (auto& s : scopes) {
    if (breaker != state::closed) wait_for_breaker(s, opens_in);
    by_name.emplace(std::pair(s.credential, std::string_view(s.model)), &s);
  }
  // They were released before all others, so they come first.
  for (auto h = at.held.rbegin(); h != at.held.rend(); ++h) {
    auto const found = by_name.find({h->credential, h->model});
    if (found == by_name.end()) continue;
    auto& s = *found->second;
    ++s.queued;
    s.in_flight -= std::min<std::size_t>(s.in_flight, 1);
    s.held_by = constraint::circuit_breaker;
    if (s.waiting.size() >= most_waiting) continue;
    auto expected = h->until ? std::optional(*h->until - now) : opens_in;
    if (expected && opens_in) expected = std::max(*expected, *opens_in);
    s.waiting.insert(s.waiting.begin(), {.id = 0,
                                         .client = h->client,
                                         .urgency = h->urgency,
                                         .cost = h->cost,
                                         .waited = now - h->submitted,
                                         .expected_in = expected,
                                         .held_by = constraint::circuit_breaker});
  }
  return scopes;
}

/// The sum of a figure over all destinations.
template <class F>
std::size_t sum_of(const sources& from, F figure) {
  std::size_t sum = 0;
  for (auto const& d : from.destinations) sum += figure(d);
  return sum;
}

}  // namespace

std::vector<scope_report> scopes_of(const sources& from, time_point now, std::size_t most_waiting) {
  std::vector<scope_report> all;
  for (auto const& d : from.destinations)
    for (auto& s : scopes_at(d, now, most_waiting)) all.push_back(std::move(s));
  return all;
}

std::size_t queue_length(const sources& from) {
  return sum_of(from, [](const destination_source& d) { return d.queue_length(); });
}

std::size_t at_provider(const sources& from) {
  return sum_of(from, [](const destination_source& d) { return d.at_provider(); });
}

std::size_t queued_bytes(const sources& from) {
  return sum_of(from, [](const destination_source& d) { return d.limiter.queued_bytes(); });
}

limiter_counters counters_of(const sources& from) {
  limiter_counters sum;
  for (auto const& d : from.destinations) {
    auto const& c = d.limiter.counters();
    sum.header_parsing_success += c.header_parsing_success;
    sum.header_parsing_failures += c.header_parsing_failures;
    sum.dynamic_timings_used += c.dynamic_timings_used;
    sum.fallback_timings_used += c.fallback_timings_used;
    sum.released += c.released;
    sum.waited += c.waited;
    sum.upstream_refusals += c.upstream_refusals;
  }
  return sum;
}

}  // namespace cooldown::observe
