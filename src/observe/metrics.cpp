#include <limits>
#include <sstream>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "cooldown/http/json_text.hpp"
#include "cooldown/observe/process.hpp"
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
  static MetricFamily make(const char* name, const char* help, MetricType type) {
    MetricFamily f;
    f.name = std::string("cooldown_") + name;
    f.help = help;
    f.type = type;
    return f;
  }
  /// A family without samples is left out.
  void put(MetricFamily f) {
    if (!f.metric.empty()) families_.push_back(std::move(f));
  }
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    return families_.emplace_back(make(name, help, type));
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

/// Metrics by scope, for models with their own name (stats::requests). All families are filled in one pass, and each is
/// written in one piece.
void scope_families(exposition& out, const sources& from, time_point now) {
  auto const gauge = [](const char* name, const char* help) { return exposition::make(name, help, MetricType::Gauge); };
  auto const counter = [](const char* name, const char* help) {
    return exposition::make(name, help, MetricType::Counter);
  };
  auto limit = gauge("budget_limit", "A limit of the provider, in requests or tokens.");
  auto left = gauge("budget_remaining", "What is left of the limit now, after deducting requests in flight.");
  auto reset = gauge("budget_reset_seconds", "Time until the limit is full again, if that is known.");
  auto queued = gauge("scope_queued_requests", "Waiting requests of the model and key.");
  auto in_flight = gauge("scope_in_flight_requests", "Requests of the model and key at the provider.");
  auto concurrency = gauge("scope_concurrency_limit",
                           "Requests that the provider takes at once, learned from its refusals for lack of capacity.");
  auto paused = gauge("scope_paused", "1 while the model is paused.");
  auto released = counter("scope_released_requests_total", "Requests released.");
  auto tokens = counter("scope_released_tokens_total", "Tokens reserved for released requests.");
  auto used = counter("scope_used_tokens_total", "Tokens used, as reported by answers.");
  auto refused = counter("scope_upstream_refusals_total", "429s of the provider.");
  for (auto const& s : scopes_of(from, now, 0)) {
    // Clients can make up any number of models and keys; only those that the provider has accepted are listed.
    if (!s.succeeded || !from.counts.requests.contains(s.model)) continue;
    labels const with{{"model", http::utf8_text(s.model)},
                      {"credential", http::utf8_text(from.called.of(s.credential))}};
    exposition::add(queued, static_cast<double>(s.queued), with);
    exposition::add(in_flight, static_cast<double>(s.in_flight), with);
    if (s.concurrency_limit) exposition::add(concurrency, static_cast<double>(*s.concurrency_limit), with);
    exposition::add(paused, s.paused ? 1 : 0, with);
    exposition::add(released, static_cast<double>(s.totals.released), with);
    exposition::add(tokens, s.totals.tokens_released, with);
    exposition::add(used, s.totals.tokens_used, with);
    exposition::add(refused, static_cast<double>(s.totals.refused), with);
    for (auto const& b : s.budgets) {
      auto of_budget = with;
      of_budget.push_back({"resource", name_of(b.counts)});
      of_budget.push_back({"window", name_of(b.over)});
      exposition::add(limit, b.limit, of_budget);
      exposition::add(left, b.level, of_budget);
      if (b.next_reset) exposition::add(reset, std::max(0.0, seconds_of(*b.next_reset - now)), of_budget);
    }
  }
  for (auto* f :
       {&limit, &left, &reset, &queued, &in_flight, &concurrency, &paused, &released, &tokens, &used, &refused})
    out.put(std::move(*f));
}

void client_families(exposition& out, const stats& s) {
  auto requests =
      exposition::make("client_requests_total", "Finished metered requests, by client.", MetricType::Counter);
  auto tokens =
      exposition::make("client_used_tokens_total", "Tokens used, as reported by answers.", MetricType::Counter);
  for (auto const& [name, totals] : s.clients) {
    labels const with{{"client", http::utf8_text(name)}};
    exposition::add(requests, static_cast<double>(totals.requests), with);
    exposition::add(tokens, static_cast<double>(totals.tokens), with);
  }
  out.put(std::move(requests));
  out.put(std::move(tokens));
}

void process_families(exposition& out) {
  auto const p = process_figures::now();
  auto const plain = [&](const char* name, const char* help, MetricType type, std::optional<double> value) {
    if (!value) return;
    auto f = exposition::make(name, help, type);
    f.name = name;  // by their own convention, without our prefix
    exposition::add(f, *value);
    out.put(std::move(f));
  };
  plain("process_cpu_seconds_total", "CPU time, user and system.", MetricType::Counter, p.cpu_seconds);
  plain("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge, p.resident_bytes);
  plain("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, p.virtual_bytes);
  plain("process_open_fds", "Open file descriptors.", MetricType::Gauge, p.open_descriptors);
  plain("process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge, p.most_descriptors);
  plain("process_start_time_seconds", "Start time, in seconds since 1970.", MetricType::Gauge, p.started);
}

void destination_families(exposition& out, const sources& from, time_point now) {
  auto const gauge = [](const char* name, const char* help) { return exposition::make(name, help, MetricType::Gauge); };
  auto queued = gauge("upstream_queued_requests", "Waiting requests, by upstream and account.");
  auto in_flight = gauge("upstream_in_flight_requests", "Metered requests at the provider, by upstream and account.");
  auto paused = gauge("upstream_paused", "1 while the account is paused by the admin port.");
  auto aside = gauge("upstream_set_aside", "1 while the account is set aside because its key was refused.");
  auto open = gauge("upstream_circuit_open", "1 while the upstream's circuit breaker is not closed.");
  for (auto const& d : from.destinations) {
    labels const with{{"upstream", std::string(d.name)}};
    exposition::add(queued, static_cast<double>(d.queue_length()), with);
    exposition::add(in_flight, static_cast<double>(d.at_provider()), with);
    exposition::add(paused, d.paused ? 1 : 0, with);
    exposition::add(aside, d.aside_until ? 1 : 0, with);
    exposition::add(open, d.breaker.current(now) == circuit_breaker::state::closed ? 0 : 1, with);
  }
  for (auto* f : {&queued, &in_flight, &paused, &aside, &open}) out.put(std::move(*f));
}

void limiter_families(exposition& out, const sources& from, time_point now) {
  auto const c = counters_of(from);
  out.counter("header_parsing_success_total", "Responses whose rate-limit headers were understood.",
              c.header_parsing_success);
  out.counter("header_parsing_failures_total", "Responses whose rate-limit headers were missing or unusable.",
              c.header_parsing_failures);
  out.counter("dynamic_timings_used_total", "Releases decided by the provider's headers.", c.dynamic_timings_used);
  out.counter("fallback_timings_used_total", "Releases decided by the configured limits.", c.fallback_timings_used);
  out.counter("released_requests_total", "Metered requests released.", c.released);
  out.counter("delayed_requests_total", "Metered requests released after waiting.", c.waited);
  out.counter("upstream_refusals_total", "429s of the provider that were absorbed: clients waited instead.",
              c.upstream_refusals);
  out.gauge("queued_requests", "Requests waiting, for quota or for the provider.", queue_length(from));
  out.gauge("queued_bytes", "Bytes of the bodies of waiting requests.", queued_bytes(from));
  out.gauge("in_flight_requests", "Metered requests at the provider.", at_provider(from));
  scope_families(out, from, now);
  if (from.several()) destination_families(out, from, now);
}

/// Converts the text format of Prometheus to OpenMetrics 1.0: a counter's family has no suffix, and an end marker is
/// added.
std::string open_metrics(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) {
      auto const end = line.find(' ', 7);
      if (std::string_view(line).substr(0, end).ends_with("_total")) line.erase(end - 6, 6);
    }
    out += line + '\n';
  }
  return out + "# EOF\n";
}

}  // namespace

std::string metrics_text(const sources& from, time_point now, metrics_format format) {
  auto const& s = from.counts;
  exposition out;
  auto& requests = out.family("requests_total", "Finished requests by model, status and outcome.", MetricType::Counter);
  for (auto const& [model, endings] : s.requests)
    for (auto const& [ending, n] : endings)
      exposition::add(requests, static_cast<double>(n),
                      {{"model", http::utf8_text(model)},
                       {"status", std::to_string(ending.first)},
                       {"outcome", std::string(ending.second)}});
  auto& responses = out.family("responses_total", "Responses to clients by status.", MetricType::Counter);
  for (auto const& [status, n] : s.responses)
    exposition::add(responses, static_cast<double>(n), {{"status", std::to_string(status)}});
  auto& refusals = out.family("refusals_total", "Requests rejected by the proxy, by code.", MetricType::Counter);
  for (auto const& [code, n] : s.refusals) exposition::add(refusals, static_cast<double>(n), {{"code", code}});
  limiter_families(out, from, now);

  out.histogram_of("wait_seconds", "Time from submission to release of metered requests.", s.waits);
  out.histogram_of("forecast_error_ratio",
                   "Error of the wait forecast at submission, relative to the forecast, for requests that waited.",
                   s.forecast_errors);
  auto& waited =
      out.family("waited_seconds_total", "Time that released requests waited, by reason.", MetricType::Counter);
  for (std::size_t i = 1; i < constraint_count; ++i)
    exposition::add(waited, s.waited_for[i], {{"held_by", name_of(static_cast<constraint>(i))}});
  out.histogram_of("upstream_response_seconds", "Time from sending a request to its response head.",
                   s.upstream_seconds);
  out.histogram_of("used_share_ratio", "Used tokens relative to reserved tokens, per request.", s.used_share);

  auto& tokens = out.family("tokens_total", "Tokens reported in usage.", MetricType::Counter);
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
  out.counter("clients_gone_total", "Clients that disconnected before their answer was complete.", s.clients_gone);
  out.counter("answers_cut_total", "Answers of the provider that broke off.", s.answers_cut);
  out.counter("upstream_attempts_total", "Requests sent to the provider, including retries.", s.upstream_attempts);
  out.counter("upstream_retries_total", "Retries after failures.", s.upstream_retries);
  out.counter("upstream_failures_total", "Attempts without a valid answer.", s.upstream_failures);
  auto failures =
      exposition::make("provider_failures_total",
                       "Attempts at metered requests in which the provider failed, by kind; answers of 500 and above "
                       "are among them.",
                       MetricType::Counter);
  for (auto const& [kind, n] : s.provider_failures)
    exposition::add(failures, static_cast<double>(n), {{"kind", std::string(kind)}});
  out.put(std::move(failures));
  client_families(out, s);
  out.counter("upstream_connections_opened_total", "Connections made to the provider.",
              from.upstream_connections_opened);
  out.gauge("upstream_connections_idle", "Kept connections to the provider.", from.idle_upstream_connections);
  auto& breaker = out.family("circuit_breaker_state", "1 for the state the breaker is in.", MetricType::Gauge);
  for (auto const state :
       {circuit_breaker::state::closed, circuit_breaker::state::open, circuit_breaker::state::half_open})
    exposition::add(breaker, from.first().breaker.current(now) == state ? 1 : 0, {{"state", name_of(state)}});
  out.gauge("circuit_breaker_failures", "Failures of the provider in a row.", from.first().breaker.failures());
  out.counter("reloads_total", "Successful reloads.", s.reloads);
  out.counter("reload_failures_total", "Rejected reloads.", s.reload_failures);
  out.gauge("draining", "1 while shutting down.", from.draining ? 1 : 0);
  out.gauge("uptime_seconds", "Time since the start.", from.uptime_seconds);
  process_families(out);
  return format == metrics_format::open_metrics ? open_metrics(out.text()) : out.text();
}

}  // namespace cooldown::observe
