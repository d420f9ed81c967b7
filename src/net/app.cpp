#include "cooldown/net/app.hpp"

#include <utility>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {

app::app(asio::io_context& context, const config::settings& settings, observe::log& log)
    : app(context, std::make_shared<const config::settings>(settings), log) {}

app::app(asio::io_context& context, settings_ptr settings, observe::log& log)
    : io(context),
      sweep(context),
      telemetry(context, sweep, log, [this](time_point now) { return observe::scopes_of(sources(), now, 0); }),
      upstreams(context, sweep, settings),
      port(context, sweep, telemetry, settings) {}

void app::reconfigure(const config::settings& settings) {
  auto const next = std::make_shared<const config::settings>(settings);
  // Only these two can fail. The files are read again even under the same names: that is how a certificate is renewed.
  auto renewed = make_tls_server(settings.server.tls);
  auto prepared = upstreams.prepare(next);
  last_reserve const whole;
  port.apply(next, std::move(renewed));
  telemetry.log.configure(settings.logging);
  upstreams.apply(std::move(prepared));
}

observe::sources app::sources() const {
  auto& at = upstreams.first();
  return {.counts = telemetry.stats,
          .past = telemetry.history,
          .limiter = at.limiter,
          .breaker = at.provider().breaker,
          .failures = at.provider().failures,
          .held = at.held,
          .called = telemetry.names,
          .idle_upstream_connections = at.provider().pool.idle(),
          .upstream_connections_opened = at.connections_opened(),
          .url = port.url,
          .draining = port.draining,
          .uptime_seconds = seconds_of(steady_now() - telemetry.started)};
}

}  // namespace cooldown::net
