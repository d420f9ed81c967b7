// How fast a hidden limit that comes back at once, or as it went, is raised; and what is no drought.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

TEST(HiddenLimitClimb, WaitingForALargeRequestToFitIsNoDrought) {
  hidden_limit l(100, 60s, start - 1h);
  auto const meets = [&](double spent, double used, duration at) {
    l.met(
        {.n = 1, .spent = spent, .undecided = 0, .used = used, .oldest = start, .sent = start + at, .now = start + at},
        false);
  };
  meets(10, 0, 0s);
  l.admitted(11, start + 10s, start + 10s);
  meets(50, 80, 1min);
  EXPECT_NEAR(l.value(), 41, 1) << "what has come in since, not what was left before";
}

/// Configured as 1,000 a minute; others leave only 40 in the first one.
struct ClimbingWindow : ::testing::Test {
  void SetUp() override {
    for (int i = 0; i < 40; ++i) admitted(start);
    for (auto const at : {1s, 3s, 9s}) refused(start + at);
    admitted(start + 20s);
    ASSERT_EQ(b.limit(), 40);
    ASSERT_EQ(b.believed(), belief::proven_window);
  }
  void admitted(time_point at) { b.admitted(b.take(1, at), 1, at, at + 1ms); }
  void refused(time_point at) { b.refused(b.take(1, at), 1, 1, std::nullopt, 0, at, at + 1ms); }
  /// Sends what there is room for; all of it is admitted.
  void use(time_point until) {
    for (; now < until; now += 10ms)
      if (b.ready_at(1, now) <= now) admitted(now);
  }
  budget b{1000, 60s, refill::continuous, start, {}};
  time_point now = start + 21s;
};

TEST_F(ClimbingWindow, TakesOneStepAfterAnotherOnceEachHasHeld) {
  use(start + 3min);
  EXPECT_EQ(b.limit(), 1000);
}

TEST_F(ClimbingWindow, FallsBackToWhatWasAdmitted) {
  while (b.limit() < 100) use(now + 10ms);
  while (b.ready_at(1, now) > now) now += 10ms;
  auto const held = b.used(now);
  refused(now);
  EXPECT_LE(b.limit(), std::max(40.0, held));
  EXPECT_GE(b.limit(), 40);
}

TEST_F(ClimbingWindow, TriesMoreThanHasHeldOnlyByFewAtATime) {
  EXPECT_FALSE(b.is_tried());
  while (!b.is_tried() && now < start + 3min) use(now + 10ms);
  EXPECT_TRUE(b.is_tried());
}

TEST(DryLimit, IsAskedAboutAtTheEndOfAWindow) {
  budget b(1000, 1h, refill::continuous, start, {});
  auto const refused = [&](duration at) {
    b.refused(b.take(1, start + at), 1, 1, std::nullopt, 0, start + at, start + at + 1ms);
  };
  for (auto const at : {10min, 20min, 40min, 58min}) refused(at);
  EXPECT_GT(b.ready_at(1, start + 59min), start + 59min);
  EXPECT_EQ(b.ready_at(1, start + 59min), start + 1h + 100ms) << "and not five minutes after the last refusal";
  refused(1h + 100ms);
  EXPECT_GT(b.ready_at(1, start + 1h + 200ms), start + 1h + 4min) << "once";
}

}  // namespace
}  // namespace cooldown
