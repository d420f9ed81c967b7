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

json::object waiting(const scope_report::waiting_ticket& t, std::size_t position) {
  return {{"position", position},
          {"client", t.client % 1'000'000},
          {"urgency", t.urgency},
          {"tokens", t.cost},
          {"waited_seconds", seconds_of(t.waited)},
          {"expected_in_seconds", seconds_of(t.expected_in)}};
}

}  // namespace

std::string status_json(const sources& from, time_point now) {
  json::array scopes;
  for (auto const& s : from.limiter.report(now)) {
    json::array budgets;
    for (auto const& b : s.budgets) budgets.push_back(budget(b, now));
    json::array queue;
    for (auto const& t : s.waiting) queue.push_back(waiting(t, queue.size() + 1));
    json::object o{{"model", http::utf8_text(s.model)},
                   {"credential", s.credential % 1'000'000},
                   {"queued", s.queued},
                   {"in_flight", s.in_flight},
                   {"decided_by", s.decides == basis::headers ? "headers" : "configuration"},
                   {"tokens_per_character", s.tokens_per_char},
                   {"used_share_of_reserved", s.use_share},
                   {"budgets", std::move(budgets)},
                   {"waiting", std::move(queue)}};
    if (s.tokens.last_update) o["last_headers_seconds_ago"] = seconds_of(now - *s.tokens.last_update);
    scopes.push_back(std::move(o));
  }
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
      {"scopes", std::move(scopes)}};
  return json::serialize(status) + "\n";
}

}  // namespace cooldown::observe
