// What the admin port shows: Prometheus metrics and a JSON status (docs/api.md).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/observe/failure_rate.hpp"
#include "cooldown/observe/held_request.hpp"
#include "cooldown/observe/history.hpp"
#include "cooldown/observe/names.hpp"
#include "cooldown/observe/stats.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::observe {

/// One destination.
struct destination_source {
  std::string_view name;
  cerebras_limiter& limiter;
  const circuit_breaker& breaker;
  const failure_rate& failures;
  const held_requests& held;
  bool paused = false;
  std::optional<time_point> aside_until{};  // its key has been refused

  /// Number of requests that wait there, for whatever reason, and of those at the provider.
  std::size_t queue_length() const { return limiter.queue_length() + held.size(); }
  std::size_t at_provider() const { return limiter.in_flight() - std::min(limiter.in_flight(), held.size()); }
};

/// The sources of the figures, borrowed for one call.
struct sources {
  const stats& counts;
  const history& past;
  const names& called;
  std::vector<destination_source> destinations;  // in the order of preference, never empty
  std::size_t idle_upstream_connections = 0;
  std::uint64_t upstream_connections_opened = 0;
  std::string_view url{};  // where clients connect
  bool draining = false;
  double uptime_seconds = 0;

  const destination_source& first() const { return destinations.front(); }
  bool several() const { return destinations.size() > 1; }
};

/// Of all limiters.
limiter_counters counters_of(const sources& from);
std::size_t queued_bytes(const sources& from);

/// The limiter's report of all scopes, in which requests that are held after their release also count as waiting, for
/// the circuit breaker if that is the reason.
std::vector<scope_report> scopes_of(const sources& from, time_point now, std::size_t most_waiting = 1'000);

/// Of all destinations.
std::size_t queue_length(const sources& from);
std::size_t at_provider(const sources& from);

enum class metrics_format { prometheus, open_metrics };

/// In the text exposition format 0.0.4 of Prometheus, or in OpenMetrics 1.0.
std::string metrics_text(const sources& from, time_point now, metrics_format format = metrics_format::prometheus);

/// One JSON object; `schema` counts its breaking changes.
std::string status_json(const sources& from, time_point now);

}  // namespace cooldown::observe
