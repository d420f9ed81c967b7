#include "cooldown/net/admission.hpp"

#include <utility>

namespace cooldown::net {

void admission::update() {
  if (limiter_.queue_length() == 0 && armed_for_ == time_point::max()) return;
  auto const now = steady_now();
  for (auto& event : limiter_.poll(now)) {
    auto const found = waiters_.find(event.id);
    if (found == waiters_.end()) {
      early_.emplace(event.id, event);
      continue;
    }
    found->second->event = event;
    found->second->timer.cancel();
  }
  auto const next = limiter_.next_deadline(now).value_or(time_point::max());
  if (next == armed_for_) return;
  armed_for_ = next;
  if (next == time_point::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(next);
  timer_.async_wait([this](error_code ec) {
    if (ec) return;
    armed_for_ = time_point::max();
    update();
  });
}

task<admission::result> admission::wait(ticket_id id, time_point until, interrupt& ctl) {
  using kind = result::what;
  std::optional<ticket_event> event;
  if (auto const found = early_.find(id); found != early_.end()) {
    event = found->second;
    early_.erase(found);
  } else if (ctl.fired()) {
    co_return result{kind::interrupted};
  } else {
    waiter w(io_);
    w.timer.expires_at(until);
    waiters_.emplace(id, &w);
    {
      interrupt::watching<steady_timer> const watched(ctl, w.timer);
      co_await w.timer.async_wait(tok);
    }
    waiters_.erase(id);
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
  gate_->early_.erase(id_);
  gate_->limiter_.leave(id_, steady_now(), relayed_);
  gate_->update();
}

void ticket_guard::settle(std::optional<std::uint64_t> actual, std::optional<std::uint64_t> prompt_tokens,
                          std::uint64_t cached_tokens) {
  if (id_ == 0) return;
  gate_->limiter_.settle(std::exchange(id_, 0), actual, prompt_tokens, steady_now(), cached_tokens);
  gate_->update();
}

void ticket_guard::not_sent() {
  if (id_ == 0) return;
  auto const id = std::exchange(id_, 0);
  auto const now = steady_now();
  gate_->early_.erase(id);
  gate_->limiter_.not_sent(id, now);
  gate_->limiter_.leave(id, now);  // if it has not even been released
  gate_->update();
}

}  // namespace cooldown::net
