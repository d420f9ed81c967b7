// What the admin port shows: Prometheus metrics and a JSON status (docs/api.md).
#pragma once

#include <string>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/observe/history.hpp"
#include "cooldown/observe/stats.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown::observe {

/// Where the figures come from, for the time of one call.
struct sources {
  const stats& counts;
  const history& past;
  cerebras_limiter& limiter;
  const circuit_breaker& breaker;
  std::size_t idle_upstream_connections = 0;
  std::uint64_t upstream_connections_opened = 0;
  bool draining = false;
  double uptime_seconds = 0;
};

enum class metrics_format { prometheus, open_metrics };

/// In the text exposition format 0.0.4 of Prometheus, or in OpenMetrics 1.0.
std::string metrics_text(const sources& from, time_point now, metrics_format format = metrics_format::prometheus);

/// One JSON object; `schema` counts its breaking changes.
std::string status_json(const sources& from, time_point now);

}  // namespace cooldown::observe
