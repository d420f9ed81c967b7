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

// Of few requests that a random world admits, another order makes a tenth more or less: it takes many worlds, each
// lived through several times.
TEST(LawOfRestarts, ARestartThatKeepsWhatWasLearnedChangesNothingButWhatItInterrupts) {
  constexpr unsigned lives = 4;
  double shares = 0, refused_without = 0, refused = 0;
  auto const cases = law_cases(20);
  for (unsigned seed = first_law_seed(), last = seed + cases; seed < last; ++seed) {
    auto w = random_workload(seed);
    w.length = 30min;
    double tokens = 0, tokens_without = 1;
    for (unsigned life = 0; life < lives; ++life) {
      auto const without = run(w, seed + 1000 * life, {});
      auto const kept = run(w, seed + 1000 * life, {{.at = 11min, .keep = true}});
      tokens += kept.tokens;
      tokens_without += without.tokens;
      refused_without += static_cast<double>(without.refused);
      refused += static_cast<double>(kept.refused);
    }
    shares += tokens / tokens_without;
  }
  EXPECT_GE(shares / cases, 0.99);
  EXPECT_LE(refused, 1.05 * refused_without + 10 * lives);
}

}  // namespace
}  // namespace cooldown::testing
