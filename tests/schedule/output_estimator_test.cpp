// Estimated charges for outputs, and how long they are believed.
#include "cooldown/schedule/output_estimator.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

request_size with(std::uint64_t maximum) {
  return {.input_chars = 100, .max_output_tokens = maximum};
}
request_size const without{.input_chars = 100};

TEST(OutputEstimator, WhatOthersMayBeAPartOfIsOnlyABound) {
  output_estimator e;
  // The first header of all shows what two of a burst were charged.
  e.observe(without, {.tokens = 33'000, .alone = false}, 30, start);
  EXPECT_EQ(e.tokens(without, true, start), 16'384);
  e.observe(without, {.tokens = 6'018, .alone = false}, 30, start);
  EXPECT_EQ(e.tokens(without, true, start), 6'000);
  e.observe(without, {.tokens = 9'000, .alone = false}, 30, start);
  EXPECT_EQ(e.tokens(without, true, start), 6'000) << "no less than one of them was charged";
  e.observe(without, {.tokens = 3'018, .alone = true}, 30, start);
  EXPECT_EQ(e.tokens(without, true, start), 3'000);
}

TEST(OutputEstimator, OneRefusalIsNoEvidenceTwoInARowAre) {
  output_estimator e;
  e.observe(without, {.tokens = 3'018, .alone = true}, 30, start);
  for (int i = 0; i < 5; ++i) {
    e.refused(without);
    EXPECT_EQ(e.tokens(without, true, start), 3'000);
    e.admitted(without);
  }
  e.refused(without);
  e.refused(without);
  EXPECT_EQ(e.tokens(without, true, start), 6'000);
}

TEST(OutputEstimator, ARefusalOfASmallMaximumSaysNothingOfTheCap) {
  output_estimator e;
  e.observe(with(60'000), {.tokens = 16'400, .alone = true}, 16, start);
  for (int i = 0; i < 5; ++i) e.refused(with(1'000));
  EXPECT_NEAR(e.tokens(with(60'000), true, start), 16'390, 10);
  e.refused(with(60'000));
  EXPECT_GT(e.tokens(with(60'000), true, start), 30'000);
}

TEST(OutputEstimator, WhatNothingConfirmsForAnHourIsForgotten) {
  output_estimator e;
  e.observe(with(60'000), {.tokens = 16'400, .alone = true}, 16, start);
  e.observe(without, {.tokens = 3'018, .alone = true}, 30, start);
  EXPECT_NEAR(e.tokens(with(60'000), true, start + 59min), 16'390, 10);
  EXPECT_EQ(e.tokens(without, true, start + 59min), 3'000);
  EXPECT_EQ(e.tokens(with(60'000), true, start + 61min), 60'000);
  EXPECT_EQ(e.tokens(without, true, start + 61min), 16'384);
}

TEST(OutputEstimator, ThatAMaximumIsChargedWholeIsAskedAgainLessAndLessOften) {
  output_estimator e;
  auto now = start;
  EXPECT_EQ(e.least(with(60'000), now), 16'384);
  for (auto const pause : {5min, 10min, 20min}) {
    e.maximum_charged(now);
    EXPECT_EQ(e.least(with(60'000), now + pause - 1s), 60'000);
    now += pause;
    EXPECT_EQ(e.least(with(60'000), now), 16'384);
  }
}

TEST(OutputEstimator, AnAdmittedDoubtEndsTheRowOfRefusedOnes) {
  output_estimator e;
  e.maximum_charged(start);
  e.maximum_charged(start + 5min);
  e.observe(with(60'000), {.tokens = 16'400, .alone = true}, 16, start + 15min);
  auto const later = start + 2h;
  e.maximum_charged(later);
  EXPECT_EQ(e.least(with(60'000), later + 5min), 16'384);
}

TEST(OutputEstimator, AProviderThatRaisesItsCapIsFollowed) {
  output_estimator e;
  e.observe(with(60'000), {.tokens = 16'400, .alone = true}, 16, start);
  e.observe(with(60'000), {.tokens = 32'800, .alone = true}, 16, start + 1min);
  EXPECT_NEAR(e.tokens(with(60'000), true, start + 1min), 32'790, 10);
  e.observe(with(60'000), {.tokens = 60'016, .alone = true}, 16, start + 2min);
  EXPECT_EQ(e.tokens(with(60'000), true, start + 2min), 60'000);
}

}  // namespace
}  // namespace cooldown
