// Runs one workload with one scheduler and one seed, and returns the outcome.
#pragma once

#include "quota/outcome.hpp"
#include "quota/scheduler.hpp"
#include "quota/workload.hpp"

namespace cooldown::bench {

struct run_options {
  contestant who = contestant::ours;
  duration length = std::chrono::seconds{120};
  unsigned seed = 1;
  bool trace = false;
  scheduler_maker make{};  // instead of `who`'s scheduler, for example one that observes it
};

/// Deterministic: the same arguments give the same outcome.
outcome run_experiment(const workload& w, const run_options& options);

}  // namespace cooldown::bench
