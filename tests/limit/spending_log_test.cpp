#include "cooldown/limit/spending_log.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

TEST(SpendingLog, WhatWasTakenLeavesOneWindowLater) {
  spending_log log(60s);
  log.add(10, start);
  log.add(20, start + 5s);
  EXPECT_EQ(log.sum(), 30);
  EXPECT_EQ(log.leave(start + 60s - 1ns), 0);
  EXPECT_EQ(log.leave(start + 60s), 10);
  EXPECT_EQ(log.leave(start + 65s), 20);
  EXPECT_TRUE(log.empty());
}

TEST(SpendingLog, TellsWhenEnoughWillHaveLeft) {
  spending_log log(60s);
  log.add(10, start);
  log.add(20, start + 5s);
  EXPECT_EQ(log.when_left(0, start + 6s), start + 6s);
  EXPECT_EQ(log.when_left(10, start + 6s), start + 60s);
  EXPECT_EQ(log.when_left(11, start + 6s), start + 65s);
  EXPECT_EQ(log.when_left(500, start + 6s), start + 65s);
}

TEST(SpendingLog, WhatHasLeftIsFreshForAWhile) {
  spending_log log(60s, 25ms);
  log.add(10, start);
  log.add(20, start + 20ms);
  EXPECT_EQ(log.when_left(10, start + 6s), start + 60s + 25ms);
  EXPECT_EQ(log.leave(start + 60s), 10);
  EXPECT_EQ(log.fresh(), 10);
  EXPECT_EQ(log.when_left(10, start + 60s), start + 60s + 25ms);
  EXPECT_EQ(log.when_left(11, start + 60s), start + 60s + 45ms);
  EXPECT_EQ(log.leave(start + 60s + 25ms), 20);
  EXPECT_EQ(log.fresh(), 20);
  EXPECT_EQ(log.leave(start + 60s + 45ms), 0);
  EXPECT_EQ(log.fresh(), 0);
}

TEST(SpendingLog, GivesBackOnlyWhatIsThere) {
  spending_log log(60s);
  log.add(10, start);
  log.add(20, start + 5s);
  EXPECT_EQ(log.give_back(5, start), 5);
  EXPECT_EQ(log.give_back(50, start + 5s), 20);
  EXPECT_EQ(log.sum(), 5);
  log.leave(start + 61s);
  EXPECT_EQ(log.give_back(5, start), 0);
}

TEST(SpendingLog, IsBoundedAndNeverEarly) {
  spending_log merged(60s);
  for (int i = 0; i < 5000; ++i) merged.add(1, start + i * 10ms);
  EXPECT_EQ(merged.sum(), 5000);
  double left = 0;
  for (int i = 0; i < 12'000; ++i) {
    auto const now = start + i * 10ms;
    left += merged.leave(now);
    double const truth = std::clamp((seconds_of(now - start) - 60) * 100 + 1, 0.0, 5000.0);
    ASSERT_LE(left, truth + 1e-6) << i;
  }
  EXPECT_EQ(left, 5000);
}

TEST(SpendingLog, ForgetsWhatHasLeftAtAnyRate) {
  for (auto const window : {duration{60s}, duration{24h}}) {
    for (int const in_window : {1000, 10'000, 100'000}) {
      spending_log log(window, 25ms);
      auto const apart = window / in_window;
      auto now = start;
      std::size_t most = 0;
      for (int i = 0; i < 5 * in_window; ++i) {
        now += apart;
        log.leave(now);
        log.add(1, now);
        most = std::max(most, log.size());
      }
      EXPECT_NEAR(log.sum(), in_window, 1 + in_window / 1000.0) << window.count();
      EXPECT_LE(most, 2 * 8192U);
    }
  }
}

TEST(SpendingLog, ScalesWhatIsLeft) {
  spending_log log(60s);
  log.add(10, start);
  log.scale(1.5);
  EXPECT_EQ(log.sum(), 15);
  EXPECT_EQ(log.leave(start + 60s), 15);
}

}  // namespace
}  // namespace cooldown
