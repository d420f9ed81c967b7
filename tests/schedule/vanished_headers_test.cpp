// A provider that stops sending rate-limit headers midway: what they told last is a guess that refusals correct.
#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

/// Headers until then; the limit that headers told, and what is configured.
bench::workload vanishing(sim::refill_rule refill, double configured_part) {
  bench::workload w;
  w.length = 30min;
  w.provider.rules.refill = refill;
  w.provider.limits = {};
  w.provider.limits.tpm = 60'000;
  w.provider.headers_until = 15s;
  w.tpm_limit = configured_part * 60'000;
  return w;
}

bench::outcome run(const bench::workload& w, bench::contestant who, unsigned seed) {
  return bench::run_experiment(w, {.who = who, .length = w.length, .seed = seed, .make = {}});
}

class VanishedHeaders : public ::testing::TestWithParam<sim::refill_rule> {
 protected:
  static void expect(double configured_part, double share) {
    for (unsigned seed = 1; seed < 4; ++seed) {
      auto const w = vanishing(GetParam(), configured_part);
      auto const ours = run(w, bench::contestant::ours, seed);
      EXPECT_GE(ours.tokens, share * run(w, bench::contestant::omniscient, seed).tokens) << "seed " << seed;
      EXPECT_LE(static_cast<double>(ours.refused), 0.02 * static_cast<double>(ours.admitted)) << "seed " << seed;
    }
  }
};

TEST_P(VanishedHeaders, LeaveRefusalsToTeachWhereTooMuchIsConfigured) {
  expect(5, 0.96);
}

TEST_P(VanishedHeaders, CostNoMoreThanAProbeWhereItIsConfiguredRight) {
  expect(1, 0.96);
}

INSTANTIATE_TEST_SUITE_P(Refills, VanishedHeaders,
                         ::testing::Values(sim::refill_rule::bucket, sim::refill_rule::window,
                                           sim::refill_rule::sliding));

}  // namespace
}  // namespace cooldown::testing
