// Counters, written only by the io thread; not atomic.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cooldown/observe/access_record.hpp"
#include "cooldown/schedule/constraint.hpp"

namespace cooldown::observe {

/// Observations by upper bound; the last bucket has no bound.
template <std::size_t n>
struct histogram {
  std::array<double, n> bounds;
  std::array<std::uint64_t, n + 1> counts{};
  double sum = 0;

  void record(double value) {
    std::size_t i = 0;
    while (i < n && value > bounds[i]) ++i;
    ++counts[i];
    sum += value;
  }
};

struct stats {
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t accept_errors = 0;
  std::uint64_t tls_handshake_failures = 0;  // of clients
  std::uint64_t requests_in_progress = 0;
  std::uint64_t bytes_from_clients = 0;
  std::uint64_t bytes_to_clients = 0;
  std::uint64_t upstream_attempts = 0;
  std::uint64_t upstream_retries = 0;
  std::uint64_t upstream_failures = 0;  // attempts without a valid response head
  std::uint64_t clients_gone = 0;       // disconnected before their answer was complete
  std::uint64_t answers_cut = 0;        // broke off within the body
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::map<unsigned, std::uint64_t> responses;                 // by status, as the client saw it
  std::map<std::string, std::uint64_t, std::less<>> refusals;  // rejections, by code (outcome.hpp): a bounded set

  /// Finished requests by model, status and outcome. Clients choose the models' names, so only the first `most_models`
  /// get their own entry, from their first 2xx on; the others are "other".
  static constexpr std::size_t most_models = 64;
  static constexpr std::size_t longest_label = 128;
  using ending = std::pair<unsigned, std::string_view>;  // status and outcome
  std::map<std::string, std::map<ending, std::uint64_t>, std::less<>> requests;

  /// Totals of clients by name, bounded for the same reason.
  struct client_totals {
    std::uint64_t requests = 0;
    std::uint64_t tokens = 0;  // of answers that reported usage
  };
  static constexpr std::size_t most_clients = 64;
  std::map<std::string, client_totals, std::less<>> clients;

  /// Attempts that count as failures of the provider, by kind (exchange_plan.hpp). Starts with zeros, which rates need.
  std::map<std::string_view, std::uint64_t> provider_failures{
      {"broken", 0}, {"connect", 0}, {"protocol", 0}, {"status", 0}, {"timeout", 0}};

  histogram<12> upstream_seconds{.bounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}};
  /// Used tokens relative to reserved tokens.
  histogram<10> used_share{.bounds = {0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1, 1.1, 1.5}};

  histogram<10> waits{.bounds = {0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 600}};  // of released tickets, in seconds
  /// Error of the wait forecast at submission, relative to the forecast.
  histogram<10> forecast_errors{.bounds = {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3}};

  std::array<double, constraint_count> waited_for{};  // seconds that released tickets waited, by reason

  void record_wait(double seconds, constraint held_by) {
    waits.record(seconds);
    waited_for[static_cast<std::size_t>(held_by)] += seconds;
  }

  void record_request(const access_record& r) {
    auto of_model = requests.find(std::string_view(r.model));
    if (of_model == requests.end()) {
      bool const exists = r.status >= 200 && r.status < 300;
      bool const fits = requests.size() < most_models && r.model.size() <= longest_label;
      of_model = requests.try_emplace(exists && fits ? r.model : "other").first;
    }
    ++of_model->second[{r.status, outcome_of(r)}];
    if (!r.who.empty()) record_client(r);
  }

  void record_client(const access_record& r) {
    auto found = clients.find(std::string_view(r.who));
    if (found == clients.end()) {
      bool const named = r.status >= 200 && r.status < 300 && clients.size() < most_clients;
      found = clients.try_emplace(named ? r.who : "others").first;
    }
    ++found->second.requests;
    found->second.tokens += r.tokens;
  }

  void record_estimate(double reserved, double used) {
    if (reserved > 0) used_share.record(used / reserved);
  }

  /// In seconds. Forecasts below a tenth of a second count as that.
  void record_forecast(double forecast, double actual) {
    forecast_errors.record(std::abs(actual - forecast) / std::max(forecast, 0.1));
  }
};

}  // namespace cooldown::observe
