// Random providers and clients in simulated time, and observers of the limiter among them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "quota/experiment.hpp"
#include "quota/scheduler.hpp"
#include "quota/workload.hpp"

namespace cooldown::testing {

/// Sees everything that happens between the clients, the limiter and the provider. Times are the bench's.
class watch {
 public:
  virtual ~watch() = default;
  virtual void submits(const bench::call_ptr& /*c*/, time_point /*now*/) {}
  virtual void sends(const bench::call_ptr& /*c*/, time_point /*now*/) {}
  /// The client gets an answer other than 200. `submitting`: at once, and so from the limiter.
  virtual void turns_away(const bench::call_ptr& /*c*/, bool /*submitting*/, bool /*retry_helps*/, time_point /*now*/) {
  }
  /// The limiter is about to see the headers of a success.
  virtual void hears(const bench::call_ptr& /*c*/, const bench::rate_headers& /*headers*/, time_point /*now*/) {}
  /// The limiter has seen them.
  virtual void admits(const bench::call_ptr& /*c*/, time_point /*now*/) {}
  /// The limiter is about to see a refusal.
  virtual void refuses(const bench::call_ptr& /*c*/, const bench::refusal& /*why*/, time_point /*now*/) {}
  virtual void ends(const bench::call_ptr& /*c*/, time_point /*now*/) {}
  /// Once every five seconds.
  virtual void ticks(time_point /*now*/) {}
  /// The proxy starts, for the first time or again.
  virtual void starts(cerebras_limiter& of, bench::surroundings& world) {
    limiter = &of;
    world_now = &world;
  }

  /// Having started again, it goes on with all that it had learned before.
  virtual void goes_on() {}

  /// What breaks the law; empty: nothing.
  std::vector<std::string> breaches;

 protected:
  void breach(time_point now, const std::string& what);
  cerebras_limiter* limiter = nullptr;
  bench::surroundings* world_now = nullptr;
};

/// A workload in which anything may happen, the same for the same seed.
bench::workload random_workload(unsigned seed);

/// Runs our limiter under `w`, watched.
bench::outcome run_watched(const bench::workload& w, unsigned seed, watch& eyes);

/// So many seeds each test takes: COOLDOWN_LAW_CASES where set.
unsigned law_cases(unsigned usual);

/// The first seed, for runs over others: COOLDOWN_LAW_SEED where set.
unsigned first_law_seed();

/// One line about a workload, for failures.
std::string line_about(const bench::workload& w, unsigned seed);

}  // namespace cooldown::testing
