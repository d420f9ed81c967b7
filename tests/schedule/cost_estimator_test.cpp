#include "cooldown/schedule/cost_estimator.hpp"

#include <random>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

constexpr time_point at{std::chrono::hours{1000}};

request_size size(std::uint64_t chars, std::optional<std::uint64_t> max) {
  request_size s;
  s.input_chars = chars;
  s.max_output_tokens = max;
  return s;
}

TEST(CostEstimator, StartsFromTheDocumentedRule) {
  cost_estimator e;
  EXPECT_NEAR(e.estimate(size(1000, 500), true, at), 8 + 300 + 500, 1);
  EXPECT_GE(e.estimate(size(0, 0), true, at), 1);
}

TEST(CostEstimator, AMissingMaximumIsTakenCarefullyWhereItMatters) {
  cost_estimator const e;
  EXPECT_NEAR(e.estimate(size(0, {}), true, at), 16'384, 10);
  EXPECT_NEAR(e.estimate(size(0, {}), false, at), 512, 10);
}

TEST(CostEstimator, ImagesChoicesAndEmbeddingsCount) {
  cost_estimator const e;
  auto s = size(0, 100);
  s.choices = 3;
  EXPECT_NEAR(e.estimate(s, true, at), 308, 1);
  s.images = 2;
  EXPECT_NEAR(e.estimate(s, true, at), 2308, 1);
  auto embedding = size(1000, {});
  embedding.generates = false;
  EXPECT_NEAR(e.estimate(embedding, true, at), 308, 1);
}

TEST(CostEstimator, LearnsCharactersPerTokenAsAHighQuantile) {
  cost_estimator e;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> per_token(3.0, 5.0);
  int under = 0;
  constexpr int n = 5000;
  for (int i = 0; i < n; ++i) {
    double const ratio = 1 / per_token(random);
    if (i > 500 && e.tokens_per_char() < ratio) ++under;
    e.observe_prompt(size(1000, 10), static_cast<std::uint64_t>(1000 * ratio));
  }
  // The estimate adds a fixed overhead on top, so under-estimates are rarer still.
  EXPECT_LT(static_cast<double>(under) / n, 0.2);
  EXPECT_GT(static_cast<double>(under) / n, 0.02);
}

TEST(CostEstimator, BelievesTwoTextsInARowThatAreFarOff) {
  cost_estimator e;
  e.observe_prompt(size(10'000, 10), 10'000);
  EXPECT_LE(e.estimate(size(10'000, 10), true, at), 4'000) << "one may be an error of whoever counted";
  e.observe_prompt(size(10'000, 10), 10'000);
  EXPECT_GE(e.estimate(size(10'000, 10), true, at), 10'000);
}

TEST(CostEstimator, LearnsTheRealChargeOfAMissingMaximum) {
  cost_estimator e;
  EXPECT_TRUE(e.observe_charge(size(100, {}), {5000}, at));
  EXPECT_NEAR(e.estimate(size(100, {}), true, at), 5008, 10);  // a little more than that for the input
  EXPECT_NEAR(e.estimate(size(100, {}), false, at), 5008, 10);
  e.observe_refusal(size(100, {}));
  EXPECT_NEAR(e.estimate(size(100, {}), true, at), 5008, 10) << "others may have taken the quota";
  e.observe_refusal(size(100, {}));
  EXPECT_GT(e.estimate(size(100, {}), true, at), 9000) << "twice in a row";
}

TEST(CostEstimator, WhatARefusalRaisedComesDownWithAdmissions) {
  cost_estimator e;
  e.observe_charge(size(100, {}), {3'000}, at);
  auto const seen = e.estimate(size(100, {}), true, at);
  for (int i = 0; i < 3; ++i) e.observe_refusal(size(100, {}));
  for (int i = 0; i < 10; ++i) e.observe_admission(size(100, {}));
  EXPECT_GT(e.estimate(size(100, {}), true, at), 2 * seen) << "slowly";
  for (int i = 0; i < 100; ++i) e.observe_admission(size(100, {}));
  EXPECT_EQ(e.estimate(size(100, {}), true, at), seen) << "and no further";
}

TEST(CostEstimator, LearnsThatALargeMaximumIsCharged16384) {
  cost_estimator e;
  EXPECT_TRUE(e.observe_charge(size(40, 60'000), {16'384}, at));
  EXPECT_NEAR(e.estimate(size(40, 60'000), true, at), 16'390, 6);
  EXPECT_NEAR(e.estimate(size(40, 1000), true, at), 1020, 1);
  // A charge above the cap shows that there is none.
  EXPECT_TRUE(e.observe_charge(size(40, 60'000), {60'020}, at));
  EXPECT_NEAR(e.estimate(size(40, 60'000), true, at), 60'020, 1);
}

TEST(CostEstimator, AChargeThatReachesTheMaximumProvesNoCap) {
  // Accounts charge small inputs nothing, and what a chat template adds is our guess: the charge is the maximum alone.
  struct row {
    std::uint64_t chars, maximum;
    double charge;
  };
  row const rows[] = {{5, 5, 5},
                      {5, 50, 50},
                      {2'000, 1'000, 1'000},
                      {2'200, 500, 500},
                      {3'300, 1'100, 1'100},
                      {8'000, 2'000, 4'000},
                      {40'000, 8'000, 8'000},
                      {100, 16'000, 16'000}};
  for (auto const& r : rows) {
    cost_estimator e;
    for (int i = 0; i < 3; ++i) e.observe_charge(size(r.chars, r.maximum), {r.charge}, at);
    EXPECT_GE(e.estimate(size(20, 8'000), true, at), 8'000) << "after a maximum of " << r.maximum;
  }
}

TEST(CostEstimator, ASmallMaximumTellsNothingOfLargerOnes) {
  cost_estimator e;
  // Whatever the account charges for those, and however often.
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(e.observe_charge(size(100, 1'000), {300}, at));
  EXPECT_GE(e.estimate(size(20, 8'000), true, at), 8'000);
}

TEST(CostEstimator, ACapBelowWhatAccountsAreKnownToChargeIsBelievedWhenSeenTwice) {
  cost_estimator e;
  EXPECT_FALSE(e.observe_charge(size(40, 30'000), {4'000}, at));
  EXPECT_GE(e.estimate(size(40, 30'000), true, at), 30'000);
  EXPECT_FALSE(e.observe_charge(size(40, 30'000), {6'000}, at)) << "another one: neither is a cap";
  EXPECT_TRUE(e.observe_charge(size(40, 20'000), {6'010}, at));
  EXPECT_NEAR(e.estimate(size(40, 30'000), true, at), 6'020, 30);
  // What is charged beyond it shows that there is none, and then one observation does not bring it back.
  EXPECT_TRUE(e.observe_charge(size(40, 30'000), {30'000}, at));
  EXPECT_FALSE(e.observe_charge(size(40, 30'000), {6'000}, at));
  EXPECT_GE(e.estimate(size(40, 30'000), true, at), 30'000);
}

TEST(CostEstimator, TheLeastThatAnInputMayCostIsWhatWasSeenLowestOrLess) {
  cost_estimator e;
  EXPECT_LE(e.least_input_tokens(size(100'000, 10)), 10'000);
  EXPECT_GE(e.least_input_tokens(size(1'000'000, 10)), 60'000);
  for (int i = 0; i < 2; ++i) e.observe_prompt(size(320, 10), 320);  // a character, a token
  EXPECT_GE(e.input_tokens(size(100'000, 10)), 100'000);
  EXPECT_LE(e.least_input_tokens(size(100'000, 10)), 10'000) << "other texts are not like it";
  e.observe_prompt(size(10'000, 10), 500);  // base64, or blanks: twenty characters in a token
  EXPECT_LE(e.least_input_tokens(size(100'000, 10)), 5'100);
  auto pictures = size(0, 10);
  pictures.images = 100;
  EXPECT_LE(e.least_input_tokens(pictures), 10'000);
  EXPECT_GE(e.input_tokens(pictures), 100'000);
}

TEST(CostEstimator, FollowsTheShareThatIsReallyUsed) {
  cost_estimator e;
  EXPECT_EQ(e.use_share(), 1);
  for (int i = 0; i < 100; ++i) e.observe_use(1000, 200);
  EXPECT_NEAR(e.use_share(), 0.2, 0.01);
}

}  // namespace
}  // namespace cooldown
