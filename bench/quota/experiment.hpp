// One workload, one contestant, one seed: who did what when, and what came of it.
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
  scheduler_maker make{};  // in place of `who`'s scheduler: one that watches it
};

/// Deterministic: the same arguments give the same outcome.
outcome run_experiment(const workload& w, const run_options& options);

}  // namespace cooldown::bench
