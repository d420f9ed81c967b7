// Between the breaker, which judges the upstream, and the requests that wait until it may be asked again.
#pragma once

#include <functional>
#include <list>

#include "cooldown/core/circuit_breaker.hpp"
#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

/// Lets requests through as the breaker allows, those that wait in order of their coming. Runs on the io thread.
class breaker_gate {
 public:
  /// `changed` is called after everything that may change the state or the number of those who wait.
  breaker_gate(asio::io_context& io, circuit_breaker& breaker, std::function<void()> changed)
      : io_(io), breaker_(breaker), changed_(std::move(changed)), timer_(io) {}

  enum class answer : std::uint8_t {
    yes,
    trial,  // yes, to find out whether the upstream is back
    no,     // `until` has passed
    interrupted
  };

  /// Would a newcomer be let through now?
  bool admits(time_point now) const;

  /// Waits until an attempt is allowed. After yes and trial its end is to be reported.
  task<answer> pass(time_point until, interrupt& ctl);

  void succeeded(answer as);
  void failed(answer as);
  /// The attempt ended without a verdict on the upstream.
  void abandoned(answer as);

  /// Call after a change of the breaker's settings.
  void update();

  /// Those who wait, and those who are trying.
  std::size_t held() const { return waiters_.size() + trials_; }

 private:
  struct waiter {
    explicit waiter(asio::io_context& io) : timer(io) {}
    steady_timer timer;
    answer got = answer::no;
  };

  answer ask(time_point now);
  void reported(answer as);

  asio::io_context& io_;
  circuit_breaker& breaker_;
  std::function<void()> changed_;
  steady_timer timer_;
  time_point armed_for_ = time_point::max();
  std::list<waiter*> waiters_;
  std::size_t trials_ = 0;
};

}  // namespace cooldown::net
