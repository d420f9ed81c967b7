// Classes: urgent requests are quick whatever waits below them, and the lowest class gets its share.
#include <gtest/gtest.h>

#include "market.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

constexpr double quota = 60'000;  // tokens a minute

/// Requests near the limit, of which little is used.
habits batch(std::uint8_t urgency, double most = 30'000) {
  return {.connections = 10,
          .least_maximum = most / 2,
          .most_maximum = most,
          .used = most / 3,
          .lasts = 2s,
          .urgency = urgency};
}

habits interactive(int connections, duration pause) {
  return {.connections = connections, .used = 250, .lasts = 300ms, .pause = pause, .urgency = 0};
}

TEST(Classes, WhatIsUrgentWaitsShortlyWhateverWaitsBelowIt) {
  for (double const most : {5'000.0, 30'000.0, 55'000.0})
    for (std::uint8_t const urgency : {std::uint8_t{1}, std::uint8_t{5}, std::uint8_t{7}}) {
      market m(quota);
      m.run({batch(urgency, most), interactive(6, 3s)}, 30min);
      EXPECT_LE(m.p95_wait(1), 2) << most << " tokens at urgency " << int{urgency};
    }
}

TEST(Classes, TheLeastUrgentGetATwentiethOfWhatIsUsedBesideAsManyUrgentAsTheQuotaServes) {
  for (double const most : {600.0, 5'000.0, 30'000.0, 55'000.0}) {
    market m(quota);
    auto const used = m.run({batch(7, most), interactive(40, 0s)}, 60min);
    EXPECT_GE((used[0] + most) / (used[0] + used[1]), 0.05) << most << ", but for what it has saved for its next";
    EXPECT_LE(used[0] / (used[0] + used[1]), most > 1'000 ? 0.2 : 0.1) << most;
    EXPECT_GE(used[0] + used[1], 0.97 * 60 * quota) << most;
  }
}

TEST(Classes, ThreeOfThemGetTheirs) {
  market m(quota);
  auto const used = m.run({batch(7), batch(4, 20'000), interactive(40, 0s)}, 60min);
  auto const all = used[0] + used[1] + used[2];
  EXPECT_GE(used[0] / all, 0.05);
  EXPECT_GE(used[1] / all, 0.01);
  EXPECT_GE(used[2] / all, 0.75);
}

TEST(Classes, WhatIsReservedAndNotUsedDoesNotCountForTheTrickle) {
  market m(quota);
  auto low = batch(7, 6'000);
  low.used = 100;
  auto const used = m.run({low, interactive(40, 0s)}, 60min);
  EXPECT_GE(used[0] / (used[0] + used[1]), 0.04);
}

}  // namespace
}  // namespace cooldown::testing
