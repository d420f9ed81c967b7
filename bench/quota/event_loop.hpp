// A simulated clock and its events, so that hours pass in seconds.
#pragma once

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "cooldown/time.hpp"

namespace cooldown::bench {

class event_loop {
 public:
  time_point now() const { return now_; }
  time_point start() const { return start_; }
  duration elapsed() const { return now_ - start_; }

  /// Events at the same time happen in the order in which they were added.
  void at(time_point when, std::function<void()> what) {
    events_.push_back({std::max(when, now_), order_++, std::move(what)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  void after(duration d, std::function<void()> what) { at(now_ + d, std::move(what)); }

  void run_until(time_point end) {
    while (!events_.empty() && events_.front().when <= end) {
      std::pop_heap(events_.begin(), events_.end(), later);
      auto const next = std::move(events_.back());
      events_.pop_back();
      now_ = next.when;
      next.what();
    }
    now_ = end;
  }

 private:
  struct event {
    time_point when;
    std::uint64_t order;
    std::function<void()> what;
  };
  static bool later(const event& a, const event& b) { return std::tie(a.when, a.order) > std::tie(b.when, b.order); }

  std::vector<event> events_;  // a heap
  std::uint64_t order_ = 0;
  time_point start_{std::chrono::hours{1000}};
  time_point now_{start_};
};

}  // namespace cooldown::bench
