#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cooldown/http/json_text.hpp"
#include "cooldown/observe/report.hpp"

namespace cooldown::observe {
namespace {

namespace json = boost::json;

json::object budget(const scope_report::budget_report& b, time_point now) {
  json::object o{{"resource", name_of(b.counts)}, {"window", name_of(b.over)},  {"limit", b.limit},
                 {"remaining", b.level},          {"refill", name_of(b.model)}, {"refill_confirmed", b.confirmed},
                 {"reported", b.reported}};
  if (b.next_reset) o["reset_in_seconds"] = seconds_of(*b.next_reset - now);
  return o;
}

/// Adds the reason for waiting, if there is one.
void add_held_by(json::object& o, constraint c) {
  if (c != constraint::none) o["held_by"] = {{"code", name_of(c)}, {"text", text_of(c)}};
}

/// What has to happen before a request without a known time is sent.
const char* event_awaited(constraint held_by) {
  switch (held_by) {
    case constraint::paused:
      return "the model is resumed";
    case constraint::circuit_breaker:
      return "the provider is back";
    case constraint::first_answers:
    case constraint::recovery:
      return "an answer comes";
    default:
      return "another request ends";
  }
}

json::object waiting(const scope_report::waiting_ticket& t, std::size_t position, const names& called) {
  json::object o{{"position", position},
                 {"client", shown(t.client)},
                 {"client_name", called.of(t.client)},
                 {"urgency", t.urgency},
                 {"tokens", t.cost},
                 {"waited_seconds", seconds_of(t.waited)},
                 {"expected_in_seconds", t.expected_in ? json::value(seconds_of(*t.expected_in)) : json::value()}};
  if (!t.expected_in) o["sent_when"] = event_awaited(t.held_by);
  add_held_by(o, t.held_by);
  return o;
}

json::object breaker(const circuit_breaker& b, time_point now) {
  json::object o{{"state", name_of(b.current(now))}, {"failures", b.failures()}};
  if (b.current(now) == circuit_breaker::state::open) o["retry_in_seconds"] = seconds_of(b.retry_at(now) - now);
  return o;
}

/// Totals since the start, ordered by tokens used.
json::array clients(const stats& counts) {
  std::vector<std::pair<std::string, stats::client_totals>> all(counts.clients.begin(), counts.clients.end());
  std::stable_sort(all.begin(), all.end(),
                   [](auto const& a, auto const& b) { return a.second.tokens > b.second.tokens; });
  json::array out;
  for (auto const& [name, totals] : all)
    out.push_back(json::object{{"name", name}, {"requests", totals.requests}, {"tokens_used", totals.tokens}});
  return out;
}

json::object upstream(const sources& from, time_point now) {
  auto const& counts = from.counts;
  auto const recent = from.first().failures.recent(now);
  json::object o{
      {"dialect", name_of(from.first().limiter.dialect())},
      {"attempts", counts.upstream_attempts},
      {"failures", counts.upstream_failures},
      {"retries", counts.upstream_retries},
      {"refusals", counters_of(from).upstream_refusals},
      {"idle_connections", from.idle_upstream_connections},
      {"recent",
       {{"seconds", seconds_of(failure_rate::span)}, {"attempts", recent.attempts}, {"failures", recent.failures}}}};
  if (auto const& last = from.first().failures.last())
    o["last_failure"] = {{"seconds_ago", seconds_of(now - last->at)}, {"cause", last->cause}};
  return o;
}

json::array destinations(const sources& from, time_point now) {
  json::array out;
  for (auto const& d : from.destinations) {
    auto const recent = d.failures.recent(now);
    json::object o{{"name", d.name},
                   {"paused", d.paused},
                   {"queued", d.queue_length()},
                   {"in_flight", d.at_provider()},
                   {"circuit_breaker", breaker(d.breaker, now)},
                   {"recent", {{"attempts", recent.attempts}, {"failures", recent.failures}}}};
    if (d.aside_until) o["set_aside_for_seconds"] = seconds_of(*d.aside_until - now);
    if (auto const& last = d.failures.last())
      o["last_failure"] = {{"seconds_ago", seconds_of(now - last->at)}, {"cause", last->cause}};
    out.push_back(std::move(o));
  }
  return out;
}

template <std::size_t n>
json::object histogram_json(const histogram<n>& h) {
  return {{"bounds", json::array(h.bounds.begin(), h.bounds.end())},
          {"counts", json::array(h.counts.begin(), h.counts.end())},
          {"sum", h.sum}};
}

json::object ended(const history::recent_request& r) {
  auto const& w = r.what;
  json::object o{{"id", w.id},
                 {"time", r.time},
                 {"model", w.model},
                 {"target", w.target},
                 {"status", w.status},
                 {"waited_seconds", w.waited},
                 {"upstream_seconds", w.upstream},
                 {"total_seconds", w.total},
                 {"attempts", w.attempts},
                 {"reserved", w.cost},
                 {"tokens", w.tokens},
                 {"complete", w.complete && !w.gone}};
  if (!w.who.empty()) o["client_name"] = w.who;
  if (*w.reason) o["reason"] = w.reason;
  if (!w.to.empty()) o["upstream"] = w.to;
  add_held_by(o, w.held_by);
  return o;
}

}  // namespace

std::string status_json(const sources& from, time_point now) {
  json::array scopes;
  for (auto const& s : scopes_of(from, now)) {
    json::array budgets;
    for (auto const& b : s.budgets) budgets.push_back(budget(b, now));
    json::array queue;
    for (auto const& t : s.waiting) queue.push_back(waiting(t, queue.size() + 1, from.called));
    json::object o{{"model", s.model},
                   {"credential", shown(s.credential)},
                   {"key", from.called.of(s.credential)},
                   {"paused", s.paused},
                   {"queued", s.queued},
                   {"in_flight", s.in_flight},
                   {"decided_by", s.decides == basis::headers ? "headers" : "configuration"},
                   {"tokens_per_character", s.tokens_per_char},
                   {"used_share_of_reserved", s.use_share},
                   {"released", s.totals.released},
                   {"tokens_released", s.totals.tokens_released},
                   {"tokens_used", s.totals.tokens_used},
                   {"upstream_refusals", s.totals.refused},
                   {"budgets", std::move(budgets)},
                   {"waiting", std::move(queue)}};
    add_held_by(o, s.held_by);
    if (s.concurrency_limit) o["concurrency_limit"] = *s.concurrency_limit;
    if (s.binding)
      o["binding"] = {{"resource", name_of(s.binding->id.counts)},
                      {"window", name_of(s.binding->id.over)},
                      {"limit", s.binding->limit},
                      {"remaining", s.binding->level}};
    if (s.tokens.last_update) o["last_headers_seconds_ago"] = seconds_of(now - *s.tokens.last_update);
    scopes.push_back(std::move(o));
  }
  json::array recent;
  for (auto const& r : from.past.recent()) recent.push_back(ended(r));
  auto const c = counters_of(from);
  json::object status{{"schema", 1},
                      {"version", COOLDOWN_VERSION},
                      {"url", from.url},
                      {"uptime_seconds", from.uptime_seconds},
                      {"draining", from.draining},
                      {"queue", {{"length", queue_length(from)}, {"bytes", queued_bytes(from)}}},
                      {"in_flight", at_provider(from)},
                      {"circuit_breaker", breaker(from.first().breaker, now)},
                      {"upstream", upstream(from, now)},
                      {"headers",
                       {{"parsing_success", c.header_parsing_success},
                        {"parsing_failures", c.header_parsing_failures},
                        {"dynamic_timings_used", c.dynamic_timings_used},
                        {"fallback_timings_used", c.fallback_timings_used}}},
                      {"waits", histogram_json(from.counts.waits)},
                      {"upstream_response_seconds", histogram_json(from.counts.upstream_seconds)},
                      {"forecast_errors", histogram_json(from.counts.forecast_errors)},
                      {"clients", clients(from.counts)},
                      {"scopes", std::move(scopes)},
                      {"recent", std::move(recent)}};
  if (from.several()) status["upstreams"] = destinations(from, now);
  return http::visible(json::serialize(status)) + "\n";
}

}  // namespace cooldown::observe
