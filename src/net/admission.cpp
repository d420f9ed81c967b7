#include "cooldown/net/admission.hpp"

#include <utility>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {

void admission::update() {
  last_reserve const whole;
  auto const alarm = driver_.update(steady_now(), [](waiter* w, const ticket_event& event) {
    w->event = event;
    w->timer.cancel();
  });
  if (!alarm) return;
  timer_.expires_at(*alarm);  // ends the wait for the last one
  if (*alarm == time_point::max()) return;
  timer_.async_wait([this](error_code ec) {
    if (ec) return;
    driver_.alarm_rang();
    update();
  });
}

void admission::ask_again() {
  last_reserve const whole;
  for (auto* const w : driver_.waiting()) w->timer.cancel();
}

task<admission::result> admission::wait(ticket_id id, time_point until, interrupt& ctl) {
  using kind = result::what;
  waiter w(io_);
  auto event = driver_.wait(id, &w);
  if (!event) {
    waiting_scope const waiting{driver_, id};
    if (ctl.fired()) co_return result{kind::interrupted};
    w.timer.expires_at(until);
    interrupt::watching<steady_timer> const watched(ctl, w.timer);
    co_await w.timer.async_wait(tok);
    event = w.event;
  }
  if (event && event->refusal) {
    result r{kind::refused};
    r.why = *event->refusal;
    co_return r;
  }
  // A release that crossed an interruption is of no use: the caller gives it back.
  if (ctl.fired()) co_return result{kind::interrupted};
  co_return result{event ? kind::released : kind::still_waiting};
}

ticket_guard::~ticket_guard() {
  if (id_ == 0) return;
  last_reserve const whole;
  gate_->driver_.forget(id_);
  gate_->limiter().leave(id_, steady_now(), relayed_);
  gate_->update();
}

void ticket_guard::settle(std::optional<std::uint64_t> actual, std::optional<std::uint64_t> prompt_tokens,
                          std::uint64_t cached_tokens) {
  if (id_ == 0) return;
  last_reserve const whole;
  gate_->limiter().settle(std::exchange(id_, 0), actual, prompt_tokens, steady_now(), cached_tokens);
  gate_->update();
}

void ticket_guard::not_sent() {
  if (id_ == 0) return;
  last_reserve const whole;
  auto const id = std::exchange(id_, 0);
  auto const now = steady_now();
  gate_->driver_.forget(id);
  gate_->limiter().not_sent(id, now);
  gate_->limiter().leave(id, now);  // if it has not even been released
  gate_->update();
}

}  // namespace cooldown::net
