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

/// Adds what holds something back, if anything does.
void add_held_by(json::object& o, constraint c) {
  if (c != constraint::none) o["held_by"] = {{"code", name_of(c)}, {"text", text_of(c)}};
}

/// When it will go is not known while its model is paused.
json::object waiting(const scope_report::waiting_ticket& t, std::size_t position, bool paused) {
  return {{"position", position},
          {"client", shown(t.client)},
          {"urgency", t.urgency},
          {"tokens", t.cost},
          {"waited_seconds", seconds_of(t.waited)},
          {"expected_in_seconds", paused ? json::value() : json::value(seconds_of(t.expected_in))}};
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
                 {"model", http::utf8_text(w.model)},
                 {"target", http::utf8_text(w.target)},
                 {"status", w.status},
                 {"waited_seconds", w.waited},
                 {"upstream_seconds", w.upstream},
                 {"total_seconds", w.total},
                 {"attempts", w.attempts},
                 {"reserved", w.cost},
                 {"tokens", w.tokens},
                 {"complete", w.complete && !w.gone}};
  if (*w.reason) o["reason"] = w.reason;
  add_held_by(o, w.held_by);
  return o;
}

}  // namespace

std::string status_json(const sources& from, time_point now) {
  json::array scopes;
  for (auto const& s : from.limiter.report(now)) {
    json::array budgets;
    for (auto const& b : s.budgets) budgets.push_back(budget(b, now));
    json::array queue;
    for (auto const& t : s.waiting) queue.push_back(waiting(t, queue.size() + 1, s.paused));
    json::object o{{"model", http::utf8_text(s.model)},
                   {"credential", shown(s.credential)},
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
      o["binding"] = {{"resource", name_of(resource_of(s.binding->slot))},
                      {"window", name_of(window_of(s.binding->slot))},
                      {"limit", s.binding->limit},
                      {"remaining", s.binding->level}};
    if (s.tokens.last_update) o["last_headers_seconds_ago"] = seconds_of(now - *s.tokens.last_update);
    scopes.push_back(std::move(o));
  }
  json::array recent;
  for (auto const& r : from.past.recent()) recent.push_back(ended(r));
  auto const& c = from.limiter.counters();
  json::object const status{
      {"schema", 1},
      {"version", COOLDOWN_VERSION},
      {"uptime_seconds", from.uptime_seconds},
      {"draining", from.draining},
      {"queue", {{"length", from.limiter.queue_length()}, {"bytes", from.limiter.queued_bytes()}}},
      {"in_flight", from.limiter.in_flight()},
      {"circuit_breaker", {{"state", name_of(from.breaker.current(now))}, {"failures", from.breaker.failures()}}},
      {"upstream",
       {{"attempts", from.counts.upstream_attempts},
        {"failures", from.counts.upstream_failures},
        {"retries", from.counts.upstream_retries},
        {"refusals", c.upstream_refusals},
        {"idle_connections", from.idle_upstream_connections}}},
      {"headers",
       {{"parsing_success", c.header_parsing_success},
        {"parsing_failures", c.header_parsing_failures},
        {"dynamic_timings_used", c.dynamic_timings_used},
        {"fallback_timings_used", c.fallback_timings_used}}},
      {"waits", histogram_json(from.counts.waits)},
      {"upstream_response_seconds", histogram_json(from.counts.upstream_seconds)},
      {"forecast_errors", histogram_json(from.counts.forecast_errors)},
      {"scopes", std::move(scopes)},
      {"recent", std::move(recent)}};
  return http::visible(json::serialize(status)) + "\n";
}

}  // namespace cooldown::observe
