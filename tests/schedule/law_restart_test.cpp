// A restart that keeps what was learned costs only the requests that it interrupts.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

bench::outcome run(bench::workload w, unsigned seed, std::vector<bench::workload::restart> restarts) {
  w.restarts = std::move(restarts);
  return bench::run_experiment(w, {.who = bench::contestant::ours, .length = w.length, .seed = seed, .make = {}});
}

// Of few requests that a random world admits, another order makes a tenth more or less: it takes many worlds.
TEST(LawOfRestarts, ARestartThatKeepsWhatWasLearnedChangesNothingButWhatItInterrupts) {
  double shares = 0, refused_without = 0, refused = 0;
  auto const cases = law_cases(40);
  for (unsigned seed = first_law_seed(), last = seed + cases; seed < last; ++seed) {
    auto w = random_workload(seed);
    w.length = 30min;
    auto const without = run(w, seed, {});
    auto const kept = run(w, seed, {{.at = 11min, .keep = true}});
    shares += kept.tokens / std::max(1.0, without.tokens);
    refused_without += static_cast<double>(without.refused);
    refused += static_cast<double>(kept.refused);
  }
  EXPECT_GE(shares / cases, 0.99);
  EXPECT_LE(refused, 1.05 * refused_without + 10);
}

}  // namespace
}  // namespace cooldown::testing
