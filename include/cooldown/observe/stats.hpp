// Plain counters of the io thread. Nothing here is atomic, because nobody else writes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>

namespace cooldown::observe {

/// Observations by upper bound; the last bucket has none.
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
  std::uint64_t upstream_failures = 0;  // attempts without an acceptable response head
  std::uint64_t clients_gone = 0;       // left before their answer was complete
  std::uint64_t answers_cut = 0;        // broke off in mid-body
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::map<unsigned, std::uint64_t> responses;                 // by status, as the client saw it
  std::map<std::string, std::uint64_t, std::less<>> refusals;  // ours, by code (outcome.hpp): a bounded set

  histogram<10> waits{.bounds = {0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 600}};  // of released tickets, in seconds
  /// How far the wait forecast at submission was off, as a share of it.
  histogram<10> forecast_errors{.bounds = {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3}};

  void record_wait(double seconds) { waits.record(seconds); }

  /// In seconds. A tenth of one is as near as a short wait can be told.
  void record_forecast(double forecast, double actual) {
    forecast_errors.record(std::abs(actual - forecast) / std::max(forecast, 0.1));
  }
};

}  // namespace cooldown::observe
