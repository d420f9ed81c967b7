#include "cooldown/net/app.hpp"

#include <utility>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {

app::app(asio::io_context& context, const config::settings& settings, observe::log& log, const std::string& salt)
    : app(context, std::make_shared<const config::settings>(settings), log, salt) {}

app::app(asio::io_context& context, settings_ptr settings, observe::log& log, const std::string& salt)
    : io(context),
      sweep(context),
      telemetry(context, sweep, log, [this](time_point now) { return observe::scopes_of(sources(), now, 0); }),
      upstreams(context, sweep, settings),
      port(context, sweep, telemetry, settings, salt) {}

void app::reconfigure(const config::settings& settings) {
  auto const next = std::make_shared<const config::settings>(settings);
  // Only these two can fail. The files are read again even under the same names: that is how a certificate is renewed.
  auto renewed = make_tls_server(settings.server.tls);
  auto prepared = upstreams.prepare(next);
  last_reserve const whole;
  port.apply(next, std::move(renewed));
  telemetry.log.configure(settings.logging);
  upstreams.apply(std::move(prepared));
  telemetry.stir();
}

observe::sources app::sources() const {
  std::size_t idle = 0;
  std::vector<observe::destination_source> destinations;
  auto const now = steady_now();
  const provider* counted = nullptr;  // accounts of one upstream stand together
  for (auto const& d : upstreams.all()) {
    auto const& p = d->provider();
    if (std::exchange(counted, &p) != &p) idle += p.pool.idle();
    destinations.push_back({.name = d->name(),
                            .limiter = d->limiter,
                            .breaker = p.breaker,
                            .failures = p.failures,
                            .held = d->held,
                            .paused = d->limiter.all_paused(),
                            .aside_until = d->is_aside(now) ? std::optional(d->aside_until()) : std::nullopt});
  }
  return {.counts = telemetry.stats,
          .past = telemetry.history,
          .called = telemetry.names,
          .destinations = std::move(destinations),
          .idle_upstream_connections = idle,
          .upstream_connections_opened = upstreams.connections_opened(),
          .url = port.url,
          .draining = port.draining,
          .uptime_seconds = seconds_of(now - telemetry.started)};
}

}  // namespace cooldown::net
