#include <limits>
#include <sstream>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "cooldown/http/json_text.hpp"
#include "cooldown/observe/report.hpp"

namespace cooldown::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;

/// Collects families in the library's own types; its serialiser does the escaping.
class exposition {
 public:
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    auto& f = families_.emplace_back();
    f.name = std::string("cooldown_") + name;
    f.help = help;
    f.type = type;
    return f;
  }
  static void add(MetricFamily& f, double value, labels with = {}) {
    auto& m = f.metric.emplace_back();
    m.label = std::move(with);
    (f.type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
  }
  template <class T>
  void counter(const char* name, const char* help, T value) {
    add(family(name, help, MetricType::Counter), static_cast<double>(value));
  }
  template <class T>
  void gauge(const char* name, const char* help, T value) {
    add(family(name, help, MetricType::Gauge), static_cast<double>(value));
  }
  template <std::size_t n>
  void histogram_of(const char* name, const char* help, const histogram<n>& from) {
    auto& h = family(name, help, MetricType::Histogram).metric.emplace_back().histogram;
    for (std::size_t i = 0; i <= n; ++i) {
      h.sample_count += from.counts[i];
      h.bucket.push_back({h.sample_count, i < n ? from.bounds[i] : std::numeric_limits<double>::infinity()});
    }
    h.sample_sum = from.sum;
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

void limiter_families(exposition& out, cerebras_limiter& limiter, time_point now) {
  auto const& c = limiter.counters();
  out.counter("header_parsing_success_total", "Responses whose rate-limit headers were understood.",
              c.header_parsing_success);
  out.counter("header_parsing_failures_total", "Responses whose rate-limit headers were missing or unusable.",
              c.header_parsing_failures);
  out.counter("dynamic_timings_used_total", "Releases decided by the provider's headers.", c.dynamic_timings_used);
  out.counter("fallback_timings_used_total", "Releases decided by the configured limits.", c.fallback_timings_used);
  out.counter("released_requests_total", "Metered requests let through.", c.released);
  out.counter("delayed_requests_total", "Metered requests let through after waiting.", c.waited);
  out.counter("upstream_refusals_total", "429s of the provider that were kept from clients.", c.upstream_refusals);
  out.gauge("queued_requests", "Requests waiting for quota.", limiter.queue_length());
  out.gauge("queued_bytes", "Bytes of their bodies.", limiter.queued_bytes());
  out.gauge("in_flight_requests", "Metered requests at the provider.", limiter.in_flight());
  auto& limit = out.family("budget_limit", "A limit of the provider's, in requests or tokens.", MetricType::Gauge);
  MetricFamily left;
  left.type = MetricType::Gauge;
  for (auto const& s : limiter.report(now)) {
    for (auto const& b : s.budgets) {
      labels const with{{"model", http::utf8_text(s.model)},
                        {"credential", std::to_string(s.credential % 1'000'000)},
                        {"resource", name_of(b.counts)},
                        {"window", name_of(b.over)}};
      exposition::add(limit, b.limit, with);
      exposition::add(left, b.level, with);
    }
  }
  auto& remaining =
      out.family("budget_remaining", "What is left of it now, requests in flight deducted.", MetricType::Gauge);
  remaining.metric = std::move(left.metric);
}

}  // namespace

std::string metrics_text(const sources& from, time_point now) {
  auto const& s = from.counts;
  exposition out;
  auto& responses = out.family("responses_total", "Responses to clients by status.", MetricType::Counter);
  for (auto const& [status, n] : s.responses)
    exposition::add(responses, static_cast<double>(n), {{"status", std::to_string(status)}});
  auto& refusals = out.family("refusals_total", "Refusals of our own by code.", MetricType::Counter);
  for (auto const& [code, n] : s.refusals) exposition::add(refusals, static_cast<double>(n), {{"code", code}});
  limiter_families(out, from.limiter, now);

  out.histogram_of("wait_seconds", "Time from submission to release of metered requests.", s.waits);
  out.histogram_of("forecast_error_ratio",
                   "How far the wait forecast at submission was off, as a share of it, for requests that waited.",
                   s.forecast_errors);

  auto& tokens = out.family("tokens_total", "Tokens that usage reported.", MetricType::Counter);
  exposition::add(tokens, static_cast<double>(s.prompt_tokens), {{"kind", "prompt"}});
  exposition::add(tokens, static_cast<double>(s.completion_tokens), {{"kind", "completion"}});
  exposition::add(tokens, static_cast<double>(s.cached_tokens), {{"kind", "cached"}});

  out.counter("connections_accepted_total", "Client connections accepted.", s.connections_accepted);
  out.gauge("connections_open", "Client connections open.", s.connections_open);
  out.counter("accept_errors_total", "Connections that could not be accepted.", s.accept_errors);
  out.counter("tls_handshake_failures_total", "Clients whose TLS handshake failed.", s.tls_handshake_failures);
  out.gauge("requests_in_progress", "Requests being served, waiting ones included.", s.requests_in_progress);
  out.counter("received_bytes_total", "Bytes received from clients.", s.bytes_from_clients);
  out.counter("sent_bytes_total", "Bytes sent to clients.", s.bytes_to_clients);
  out.counter("clients_gone_total", "Clients that left before their answer was complete.", s.clients_gone);
  out.counter("answers_cut_total", "Answers of the provider that broke off.", s.answers_cut);
  out.counter("upstream_attempts_total", "Requests sent to the provider, repeats included.", s.upstream_attempts);
  out.counter("upstream_retries_total", "Repeats after failures.", s.upstream_retries);
  out.counter("upstream_failures_total", "Attempts without an acceptable answer.", s.upstream_failures);
  out.counter("upstream_connections_opened_total", "Connections made to the provider.",
              from.upstream_connections_opened);
  out.gauge("upstream_connections_idle", "Kept connections to the provider.", from.idle_upstream_connections);
  auto& breaker = out.family("circuit_breaker_state", "1 for the state the breaker is in.", MetricType::Gauge);
  for (auto const state :
       {circuit_breaker::state::closed, circuit_breaker::state::open, circuit_breaker::state::half_open})
    exposition::add(breaker, from.breaker.current(now) == state ? 1 : 0, {{"state", name_of(state)}});
  out.gauge("circuit_breaker_failures", "Failures of the provider in a row.", from.breaker.failures());
  out.counter("reloads_total", "Configurations taken over.", s.reloads);
  out.counter("reload_failures_total", "Configurations refused.", s.reload_failures);
  out.gauge("draining", "1 while shutting down.", from.draining ? 1 : 0);
  out.gauge("uptime_seconds", "Time since the start.", from.uptime_seconds);
  return out.text();
}

}  // namespace cooldown::observe
