#include "cooldown/net/breaker_gate.hpp"

#include <utility>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {

bool breaker_gate::admits(time_point now) const {
  if (breaker_.current(now) == circuit_breaker::state::closed) return true;
  if (!waiters_.empty()) return false;
  auto const yes = breaker_.allow(now);
  if (yes) breaker_.abandoned(*yes);
  return yes.has_value();
}

breaker_gate::passage breaker_gate::ask(time_point now) {
  auto const yes = breaker_.allow(now);
  if (!yes) return {};
  if (yes->trial) ++trials_;
  return {yes->trial ? answer::trial : answer::yes, *yes};
}

breaker_gate::passage breaker_gate::pass_at_once(time_point now) {
  return retired_ || !waiters_.empty() ? passage{} : ask(now);
}

task<breaker_gate::passage> breaker_gate::pass(time_point until, interrupt& ctl, time_point since) {
  passage result;
  result.got = answer::interrupted;
  if (ctl.fired()) co_return result;
  if (retired_) {
    result.got = answer::no;
    co_return result;
  }
  auto const now = steady_now();
  if (waiters_.empty() || since < waiters_.begin()->first || until <= now) {
    auto const at_once = ask(now);
    if (at_once.got != answer::no || until <= now) co_return at_once;
  }
  waiter w(*this, since);
  w.timer.expires_at(until);
  waiters_.insert(w.place);
  update();
  {
    interrupt::watching<steady_timer> const watched(ctl, w.timer);
    co_await w.timer.async_wait(tok);
  }
  // A permission that crossed an interruption is another's.
  if (!ctl.fired()) result = std::exchange(w.got, {});
  co_return result;
}

breaker_gate::waiter::~waiter() {
  gate.waiters_.erase(place);
  if (got.got == answer::no) {
    gate.update();
  } else {
    gate.abandoned(got.with);
  }
}

void breaker_gate::reported(permit p) {
  if (p.trial) --trials_;
  update();
}

void breaker_gate::succeeded(permit p) {
  breaker_.succeeded(p);
  reported(p);
}

void breaker_gate::failed(permit p) {
  breaker_.failed(p, steady_now());
  reported(p);
}

void breaker_gate::abandoned(permit p) {
  breaker_.abandoned(p);
  reported(p);
}

void breaker_gate::retire() {
  retired_ = true;
  timer_.cancel();
  ask_again();
}

void breaker_gate::ask_again() {
  for (auto const& [since, w] : waiters_) w->timer.cancel();
}

void breaker_gate::update() {
  if (retired_) return;
  last_reserve const whole;
  auto const now = steady_now();
  while (!waiters_.empty()) {
    auto const got = ask(now);
    if (got.got == answer::no) break;
    auto* const first = waiters_.begin()->second;
    first->got = got;
    first->timer.cancel();
    waiters_.erase(waiters_.begin());
  }
  // While nobody waits, no timer keeps the loop busy. Setting it cancels what it was set to before.
  auto const next = waiters_.empty() || breaker_.current(now) != circuit_breaker::state::open ? time_point::max()
                                                                                              : breaker_.retry_at(now);
  if (next != armed_for_) {
    armed_for_ = next;
    timer_.expires_at(next);
    if (next != time_point::max())
      timer_.async_wait([this](error_code ec) {
        if (ec) return;
        armed_for_ = time_point::max();
        update();
      });
  }
  changed_();
}

void breaker_permission::report(verdict_on_provider v) {
  if (!permit_) return;
  auto const p = *std::exchange(permit_, std::nullopt);
  switch (v) {
    case verdict_on_provider::well:
      return gate_->succeeded(p);
    case verdict_on_provider::failing:
      return gate_->failed(p);
    case verdict_on_provider::none:
      return gate_->abandoned(p);
  }
}

}  // namespace cooldown::net
