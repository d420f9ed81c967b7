// Connects the circuit breaker with the requests that wait for its permission.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/exchange/exchange_plan.hpp"
#include "cooldown/net/interrupt.hpp"

namespace cooldown::net {

/// Lets requests through as the breaker permits, waiting ones in order of arrival. Runs on the io thread.
class breaker_gate {
 public:
  /// `changed` is called after everything that may change the breaker's state or the number of waiting requests.
  breaker_gate(asio::io_context& io, circuit_breaker& breaker, std::function<void()> changed)
      : io_(io), breaker_(breaker), changed_(std::move(changed)), timer_(io) {}

  enum class answer : std::uint8_t {
    yes,
    trial,  // yes, to test whether the provider is back
    no,     // `until` has passed, or the gate has been retired
    interrupted
  };

  /// Whether a new request would be let through now.
  bool admits(time_point now) const;

  using permit = circuit_breaker::permit;

  struct passage {
    answer got = answer::no;
    permit with;  // after yes and trial: report the attempt's end with it
  };

  /// `no`: it has to be waited for, with pass().
  passage pass_at_once(time_point now);

  /// Waits until an attempt is allowed. Whoever has waited `since` an earlier time comes first.
  task<passage> pass(time_point until, interrupt& ctl, time_point since = steady_now());

  void succeeded(permit p);
  void failed(permit p);
  /// The attempt ended without saying anything about the provider.
  void abandoned(permit p);

  /// To be called after a change of the breaker's settings.
  void update();

  /// Waiting requests get `no` at once, and may ask again: another destination may serve them.
  void ask_again();

  /// The provider has been replaced: waiting requests get `no` at once.
  void retire();

  /// Number of waiting requests and of trials in progress.
  std::size_t held() const { return waiters_.size() + trials_; }

 private:
  /// A waiting request. The destructor removes it from the line, and gives back a permission that it has not used.
  struct waiter {
    waiter(breaker_gate& g, time_point since) : gate(g), timer(g.io_), place(since, this) {}
    ~waiter();
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    breaker_gate& gate;
    steady_timer timer;
    std::pair<time_point, waiter*> const place;
    passage got;
  };

  passage ask(time_point now);
  void reported(permit p);

  asio::io_context& io_;
  circuit_breaker& breaker_;
  std::function<void()> changed_;
  steady_timer timer_;
  time_point armed_for_ = time_point::max();
  std::set<std::pair<time_point, waiter*>> waiters_;  // by when they came
  bool retired_ = false;
  std::size_t trials_ = 0;
};

/// Permission for one attempt. Given back if the attempt ends without saying anything about the provider.
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
