#include "cooldown/net/destination.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/net/limiter_setup.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {

destination::destination(asio::io_context& io, deadline_sweep& sweep, settings_ptr settings)
    : limiter(limiter_of(*settings)),
      gate(io, limiter),
      io_(io),
      sweep_(sweep),
      in_flight_bound_(settings->cerebras.queue.max_in_flight) {
  upstream_ = prepare(std::move(settings));
}

destination::~destination() {
  // Look-ups that are under way have nobody to tell.
  provider().retire();
}

upstream_ptr destination::prepare(settings_ptr settings) {
  auto const changed = [this] { bound_in_flight(); };
  return make_upstream(io_, sweep_, std::move(settings), changed, upstream_.get());
}

void destination::apply(upstream_ptr next) {
  auto const before = std::exchange(upstream_, std::move(next));
  auto const& settings = *upstream_->settings;
  limiter.configure(limiter_of(settings), steady_now());
  in_flight_bound_ = settings.cerebras.queue.max_in_flight;
  if (before->provider != upstream_->provider) {
    opened_before_ += before->provider->pool.opened();
    before->provider->retire();
  }
  provider().gate.update();
  gate.update();
}

void destination::bound_in_flight() {
  last_reserve const whole;
  auto const& settings = *upstream_->settings;
  auto const configured = settings.cerebras.queue.max_in_flight;
  auto bound = configured;
  if (provider().breaker.current(steady_now()) != circuit_breaker::state::closed) {
    auto const trials = std::max<std::size_t>(1, settings.cerebras.circuit_breaker.half_open_requests);
    auto const others = limiter.in_flight() - std::min(limiter.in_flight(), provider().gate.held());
    bound = configured == 0 ? others + trials : std::min(configured, others + trials);
  }
  if (bound == in_flight_bound_) return;
  in_flight_bound_ = bound;
  auto changed = limiter_of(settings);
  changed.max_in_flight = bound;
  limiter.configure(changed, steady_now());
  gate.update();
}

}  // namespace cooldown::net
