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

}  // namespace

std::vector<scope_report> scopes_of(const sources& from, time_point now, std::size_t most_waiting) {
  using state = circuit_breaker::state;
  auto scopes = from.limiter.report(now, most_waiting);
  auto const breaker = from.breaker.current(now);
  std::optional<duration> opens_in;
  if (breaker == state::open) opens_in = from.breaker.retry_at(now) - now;
  std::map<std::pair<std::uint64_t, std::string_view>, scope_report*> by_name;
  for (auto& s : scopes) {
    if (breaker != state::closed) wait_for_breaker(s, opens_in);
    by_name.emplace(std::pair(s.credential, std::string_view(s.model)), &s);
  }
  // They were released before all others, so they come first.
  for (auto h = from.held.rbegin(); h != from.held.rend(); ++h) {
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

std::size_t queue_length(const sources& from) {
  return from.limiter.queue_length() + from.held.size();
}

std::size_t at_provider(const sources& from) {
  return from.limiter.in_flight() - std::min(from.limiter.in_flight(), from.held.size());
}

}  // namespace cooldown::observe
