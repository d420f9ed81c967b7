#include "cooldown/net/breaker_gate.hpp"

namespace cooldown::net {

bool breaker_gate::admits(time_point now) const {
  if (breaker_.current(now) == circuit_breaker::state::closed) return true;
  if (!waiters_.empty() || !breaker_.allow(now)) return false;
  breaker_.abandoned();
  return true;
}

breaker_gate::answer breaker_gate::ask(time_point now) {
  if (!breaker_.allow(now)) return answer::no;
  if (breaker_.current(now) != circuit_breaker::state::half_open) return answer::yes;
  ++trials_;
  return answer::trial;
}

task<breaker_gate::answer> breaker_gate::pass(time_point until, interrupt& ctl) {
  if (ctl.fired()) co_return answer::interrupted;
  auto const now = steady_now();
  if (waiters_.empty() || until <= now) {
    auto const at_once = ask(now);
    if (at_once != answer::no || until <= now) co_return at_once;
  }
  waiter w(io_);
  w.timer.expires_at(until);
  waiters_.push_back(&w);
  update();
  {
    interrupt::watching<steady_timer> const watched(ctl, w.timer);
    co_await w.timer.async_wait(tok);
  }
  waiters_.remove(&w);
  // A permission that crossed an interruption is another's.
  if (ctl.fired() && w.got != answer::no) {
    abandoned(w.got);
  } else {
    update();
  }
  co_return ctl.fired() ? answer::interrupted : w.got;
}

void breaker_gate::reported(answer as) {
  if (as == answer::trial) --trials_;
  update();
}

void breaker_gate::succeeded(answer as) {
  breaker_.succeeded(steady_now());
  reported(as);
}

void breaker_gate::failed(answer as) {
  breaker_.failed(steady_now());
  reported(as);
}

void breaker_gate::abandoned(answer as) {
  breaker_.abandoned();
  reported(as);
}

void breaker_gate::update() {
  auto const now = steady_now();
  while (!waiters_.empty()) {
    auto const got = ask(now);
    if (got == answer::no) break;
    waiters_.front()->got = got;
    waiters_.front()->timer.cancel();
    waiters_.pop_front();
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

}  // namespace cooldown::net
