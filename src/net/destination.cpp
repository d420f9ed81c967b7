#include "cooldown/net/destination.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "cooldown/net/limiter_setup.hpp"
#include "cooldown/net/memory.hpp"

namespace cooldown::net {

destination::destination(asio::io_context& io, const upstream& of)
    : limiter(limiter_of(*of.settings, *of.of)),
      gate(io, limiter),
      in_flight_bound_(of.settings->cerebras.queue.max_in_flight) {}

void destination::apply(upstream_ptr next, std::string name, bool is_first) {
  auto const before = std::exchange(upstream_, std::move(next));
  name_ = std::move(name);
  id_ = is_first ? 0 : std::hash<std::string>{}(name_);
  if (!before) return;
  if (before->key != upstream_->key) accepted();
  auto const& settings = *upstream_->settings;
  limiter.configure(limiter_of(settings, *upstream_->of), steady_now());
  in_flight_bound_ = settings.cerebras.queue.max_in_flight;
  gate.update();
}

void destination::retire() {
  retired_ = true;
  gate.ask_again();
}

bool destination::set_aside(time_point now) {
  bool const news = !is_aside(now);
  aside_until_ = now + set_aside_for;
  if (news) gate.ask_again();
  return news;
}

void destination::pause(bool paused) {
  limiter.pause_all(paused);
  gate.update();
}

bool destination::is_usable(time_point now) const {
  return !retired_ && !is_aside(now) && !limiter.all_paused() && provider().gate.admits(now);
}

time_point destination::usable_at(time_point now) const {
  return std::max({now, aside_until_, provider().gate.admits(now) ? now : provider().breaker.retry_at(now)});
}

void destination::bound_in_flight() {
  last_reserve const whole;
  auto const& settings = *upstream_->settings;
  auto const configured = settings.cerebras.queue.max_in_flight;
  auto bound = configured;
  if (provider().breaker.current(steady_now()) != circuit_breaker::state::closed) {
    auto const trials = std::max<std::size_t>(1, upstream_->of->circuit_breaker.half_open_requests);
    auto const others = limiter.in_flight() - std::min(limiter.in_flight(), provider().gate.held());
    bound = configured == 0 ? others + trials : std::min(configured, others + trials);
  }
  if (bound == in_flight_bound_) return;
  in_flight_bound_ = bound;
  auto changed = limiter_of(settings, *upstream_->of);
  changed.max_in_flight = bound;
  limiter.configure(changed, steady_now());
  gate.update();
}

}  // namespace cooldown::net
