#include "cooldown/limit/hidden_limit.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

hidden_limit::meeting meets(double spent, time_point now, double used = 0) {
  return {.n = 1, .spent = spent, .undecided = 0, .used = used, .oldest = start, .sent = now, .now = now};
}

TEST(HiddenLimit, OneRefusalSaysWhenItWasUsedUpNotHowLargeItIs) {
  hidden_limit l(300, 60s, start - 1h);
  EXPECT_FALSE(l.learned());
  l.met(meets(5, start + 1s, 5), false);
  EXPECT_TRUE(l.learned());
  EXPECT_EQ(l.value(), 300);
  EXPECT_TRUE(l.met_since(start + 1s));
  EXPECT_FALSE(l.met_since(start + 2s));
}

/// Refused at `start`, and 40 were admitted within a minute of it: 40 are the refill.
hidden_limit lowered_to_40(double configured = 300) {
  hidden_limit l(configured, 60s, start - 1h);
  l.met(meets(10, start), false);
  l.admitted(11, start + 1s, start + 1s);
  l.met(meets(50, start + 1min, 40), false);
  return l;
}

TEST(HiddenLimit, WhatComesInBetweenTwoRefusalsLowersIt) {
  EXPECT_EQ(lowered_to_40().value(), 40);
}

TEST(HiddenLimit, IsRaisedByGrowingStepsUpToWhatIsConfigured) {
  auto l = lowered_to_40();
  auto now = start + 1min + 1s;
  l.admitted(51, now, now);
  std::vector<double> values;
  for (; now < start + 3min; now += 1s) {
    l.taken(1, 1, false, now);
    if (values.empty() || values.back() != l.value()) values.push_back(l.value());
  }
  EXPECT_EQ(values, (std::vector<double>{40, 50, 75, 150, 300}));
}

TEST(HiddenLimit, IsNotRaisedWhereNobodyWaitsForIt) {
  auto l = lowered_to_40();
  l.admitted(51, start + 61s, start + 61s);
  for (auto now = start + 61s; now < start + 1h; now += 1s) l.taken(1, 30, false, now);
  EXPECT_EQ(l.value(), 40);
}

TEST(HiddenLimit, AGuessIsRaisedBeyondItself) {
  auto l = lowered_to_40(60);
  l.guessed();
  l.admitted(51, start + 61s, start + 61s);
  for (auto now = start + 61s; now < start + 2min; now += 1s) l.taken(1, 1, false, now);
  EXPECT_GT(l.value(), 120);
}

TEST(HiddenLimit, AClimbThatIsRefusedFallsBackToWhatHeldAndWaitsLonger) {
  auto l = lowered_to_40();
  auto now = start + 61s;
  double spent = 51;
  duration waited{};
  for (int climb = 0; climb < 3; ++climb) {
    l.admitted(spent, now, now);
    auto const since = now;
    auto const held = l.value();
    while (l.value() <= held) l.taken(1, 1, false, now += 500ms);
    EXPECT_GT(now - since, waited);
    waited = now - since;
    l.met(meets(spent += held * seconds_of(now - since) / 60, now, 40), false);
    EXPECT_LT(l.value(), 1.1 * held);
    now += 1s;
  }
}

TEST(HiddenLimit, OfTheFirstWindowOurLogSaysLittleWhereNothingCameForLong) {
  hidden_limit l(30, 60s, start);
  l.met(meets(3, start + 1s, 3), false);
  l.met(meets(3, start + 10s, 3), false);
  l.admitted(4, start + 20s, start + 20s);
  l.met(meets(5, start + 25s, 5), false);
  EXPECT_EQ(l.value(), 30);
}

TEST(HiddenLimit, IsAskedInVainLessAndLessOften) {
  hidden_limit l(3000, 1h, start - 1h);
  l.met(meets(10, start), false);
  EXPECT_EQ(l.patience(), 0s);
  for (auto const after : {1s, 2s, 10s, 100s}) {
    l.met(meets(10, start + after), false);
    EXPECT_EQ(l.patience(), after);
  }
  l.met(meets(10, start + 30min), false);
  EXPECT_EQ(l.patience(), 5min);
}

TEST(HiddenLimit, AHeadersValueIsLeftAlone) {
  hidden_limit l(300, 60s, start - 1h);
  l.met(meets(10, start), true);
  l.met(meets(50, start + 1min, 40), true);
  EXPECT_EQ(l.value(), 300);
}

TEST(HiddenLimit, AnotherConfigurationForgetsWhatWasLearned) {
  hidden_limit l(300, 60s, start - 1h);
  l.met(meets(10, start), false);
  l.configure(100);
  EXPECT_EQ(l.value(), 100);
  EXPECT_FALSE(l.learned());
}

}  // namespace
}  // namespace cooldown
