// Between the breaker, which judges the upstream, and the requests that wait until it may be asked again.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/exchange/exchange_plan.hpp"
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
    no,     // `until` has passed, or the gate leads nowhere any more
    interrupted
  };

  /// Would a newcomer be let through now?
  bool admits(time_point now) const;

  using permit = circuit_breaker::permit;

  struct passage {
    answer got = answer::no;
    permit with;  // after yes and trial: the attempt's end is to be reported
  };

  /// Waits until an attempt is allowed.
  task<passage> pass(time_point until, interrupt& ctl);

  void succeeded(permit p);
  void failed(permit p);
  /// The attempt ended without a verdict on the upstream.
  void abandoned(permit p);

  /// Call after a change of the breaker's settings.
  void update();

  /// Another provider is asked from now on: those who wait are told `no` at once.
  void retire();

  /// Those who wait, and those who are trying.
  std::size_t held() const { return waiters_.size() + trials_; }

 private:
  /// Leaves the line however its wait ends, and gives back a permission that it has not taken.
  struct waiter {
    explicit waiter(breaker_gate& g) : gate(g), timer(g.io_) {}
    ~waiter();
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    breaker_gate& gate;
    steady_timer timer;
    passage got;
  };

  passage ask(time_point now);
  void reported(permit p);

  asio::io_context& io_;
  circuit_breaker& breaker_;
  std::function<void()> changed_;
  steady_timer timer_;
  time_point armed_for_ = time_point::max();
  std::list<waiter*> waiters_;
  bool retired_ = false;
  std::size_t trials_ = 0;
};

/// What an exchange may do at the provider: one attempt. Given back if it ends without a verdict.
class breaker_permission {
 public:
  breaker_permission() = default;
  ~breaker_permission() { report(verdict_on_provider::none); }
  breaker_permission(const breaker_permission&) = delete;
  breaker_permission& operator=(const breaker_permission&) = delete;

  void given(std::shared_ptr<breaker_gate> by, breaker_gate::permit p) {
    gate_ = std::move(by);
    permit_ = p;
  }
  void report(verdict_on_provider v);

 private:
  std::shared_ptr<breaker_gate> gate_;
  std::optional<breaker_gate::permit> permit_;
};

}  // namespace cooldown::net
