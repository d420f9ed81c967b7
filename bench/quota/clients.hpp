// The applications and the SDK they use: when they send requests, how they retry, when they disconnect.
#pragma once

#include <functional>
#include <random>
#include <vector>

#include "quota/call.hpp"
#include "quota/event_loop.hpp"

namespace cooldown::bench {

/// The random numbers of a connection's n-th request do not depend on the scheduler, so all schedulers face the same
/// traffic.
class clients {
 public:
  struct hooks {
    std::function<void(const call_ptr&)> begun;   // the application makes a request
    std::function<void(const call_ptr&)> submit;  // the SDK sends, the first time or again
    std::function<void(const call_ptr&)> left;    // the application has disconnected
    std::function<void(const call_ptr&)> lost;    // the SDK gave up
  };

  clients(event_loop& loop, const workload& w, unsigned seed, hooks h);
  void start();

  void served(const call_ptr& c);
  /// An answer other than 200.
  void refused(const call_ptr& c, bool retry_helps, std::optional<duration> retry_after);
  /// The connection broke, which ends `c`. Returns the request that replaces it: the SDK's retry.
  call_ptr cut_off(const call_ptr& c);

 private:
  struct connection {
    const client_group* group;
    std::uint64_t client;
    std::mt19937_64 random;  // for the contents of requests
    std::mt19937_64 when;    // for the times of requests
    std::mt19937_64 fate;    // for errors and disconnects
  };

  call_ptr make(std::size_t index);
  void ask(std::size_t index);
  void ask_poisson(std::size_t index);
  void ask_in_bursts(std::size_t index);
  void next(const call_ptr& c, duration least);
  void arm_patience(const call_ptr& c);
  duration exponential(std::size_t index, double mean);

  event_loop& loop_;
  const workload& w_;
  hooks hooks_;
  std::vector<connection> connections_;
  std::mt19937_64 jitter_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace cooldown::bench
