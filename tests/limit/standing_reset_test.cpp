// Resets that are always the same say nothing of when a window ends.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// A limit of 60,000 a minute that headers announce as a window.
struct StandingReset : ::testing::Test {
  void answer(duration at, duration reset, std::uint64_t remaining) {
    auto const sent = start + at;
    auto const m = b.take(500, sent);
    b.observe(m, 500, {.limit = 60'000, .remaining = remaining, .reset = reset}, sent, sent + 5ms, 0, fate::charged);
  }
  budget b{60'000, 60s, refill::window, start, {}};
};

TEST_F(StandingReset, IsNoAnnouncementOnceItHasStoodForMoreThanASecond) {
  answer(0s, 60s, 59'500);
  answer(900ms, 60s, 59'000);
  EXPECT_EQ(b.believed(), belief::announced_window) << "whole seconds may be the same for one";
  answer(2s, 60s, 58'500);
  EXPECT_EQ(b.believed(), belief::doubted_window);
  EXPECT_EQ(b.next_reset(), start + 1min) << "by the clock";
}

TEST_F(StandingReset, MayBeThatOfWindowsUsedUpAtOnceButNotOfManyInARow) {
  for (int window = 0; window < 3; ++window) answer(window * 61s, 60s, 59'500);
  EXPECT_TRUE(b.believed() == belief::announced_window || b.believed() == belief::proven_window);
  for (int window = 3; window < 6; ++window) answer(window * 61s, 60s, 59'500);
  EXPECT_EQ(b.believed(), belief::doubted_window);
}

TEST_F(StandingReset, IsBelievedAgainWhenItMoves) {
  for (auto const at : {0s, 2s, 4s}) answer(at, 60s, 59'500);
  ASSERT_EQ(b.believed(), belief::doubted_window);
  answer(10s, 50s, 59'000);
  EXPECT_EQ(b.believed(), belief::proven_window);
}

TEST_F(StandingReset, MovesWhereItIsTrue) {
  for (auto at = 0s; at < 50s; at += 2s) answer(at, 60s - at, 59'500 - 500 * static_cast<std::uint64_t>(at / 2s));
  EXPECT_EQ(b.believed(), belief::announced_window);
}

}  // namespace
}  // namespace cooldown
