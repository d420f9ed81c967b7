// A limit that was cut behind our back may be smaller than the request whose turn it is: others show that.
#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

/// Large requests of one client; bare refusals; for a third of the time three tenths of the limit.
bench::workload cut() {
  bench::workload w;
  w.length = 30min;
  w.provider.limits = {};
  w.provider.limits.tpm = 60'000;
  w.provider.changes = {{.at = 0.3, .factor = 0.3}, {.at = 0.6, .factor = 1}};
  auto& g = w.groups.front();
  g.connections = 8;
  g.input_chars = {16'000, 60'000};
  g.max_output = bench::range{1'000, 4'000};
  g.reply = 500;
  return w;
}

TEST(StepsAside, WhatIsRefusedThoughNothingElseWasSentForAWindow) {
  auto const w = cut();
  for (unsigned const seed : {1U, 2U, 3U, 4U, 5U, 11U, 12U, 13U, 14U, 15U}) {
    auto const run = [&](bench::contestant who) {
      return bench::run_experiment(w, {.who = who, .length = w.length, .seed = seed, .make = {}});
    };
    EXPECT_GE(run(bench::contestant::ours).tokens, 0.94 * run(bench::contestant::omniscient).tokens) << seed;
  }
}

}  // namespace
}  // namespace cooldown::testing
