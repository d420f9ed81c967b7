// Two measures of a limit that no header shows, in the first window of our own log; and what it may have beyond our
// count.
#include <gtest/gtest.h>

#include "cooldown/limit/hidden_limit.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

hidden_limit::meeting meets(double used, time_point now) {
  return {.n = 1, .spent = used, .undecided = 0, .used = used, .oldest = start, .sent = now, .now = now};
}

TEST(HiddenLimitMeasures, AreBelievedAtOnceWhereTheyAgree) {
  hidden_limit l(300, 60s, start);
  l.met(meets(60, start + 1s), false);
  l.admitted(61, start + 2s, start + 2s);
  l.met(meets(63, start + 4s), false);
  EXPECT_NEAR(l.value(), 60, 1.5);
}

TEST(HiddenLimitMeasures, DisagreeWhereItWasUsedUpBeforeWeCame) {
  hidden_limit l(30, 60s, start);
  l.met(meets(3, start + 1ms), false);
  l.admitted(4, start + 3s, start + 3s);
  l.met(meets(7, start + 8s), false);
  EXPECT_EQ(l.value(), 30);
}

TEST(HiddenLimitMeasures, LeaveTheNextClimbForHalfAWindow) {
  hidden_limit l(300, 60s, start);
  l.met(meets(60, start + 1s), false);
  l.admitted(61, start + 2s, start + 2s);
  l.met(meets(63, start + 4s), false);
  l.admitted(64, start + 5s, start + 5s);
  for (auto now = start + 5s; now < start + 30s; now += 1s) l.taken(1, 1, false, now);
  EXPECT_LT(l.value(), 62);
  for (auto now = start + 30s; now < start + 40s; now += 1s) l.taken(1, 1, false, now);
  EXPECT_GT(l.value(), 70);
}

/// Lowered to 40 of 100 a minute, used so for half a minute, and raised again to 100.
hidden_limit raised_again() {
  hidden_limit l(100, 60s, start - 1h);
  l.met(meets(10, start), false);
  l.admitted(11, start + 1s, start + 1s);
  l.met(meets(50, start + 1min), false);
  l.admitted(51, start + 61s, start + 61s);
  for (auto now = start + 61s; l.value() < 100; now += 1s) {
    l.taken(1, 1, false, now);
    l.repay(1s);
  }
  return l;
}

double repaid(hidden_limit& l) {
  double sum = 0;
  for (int i = 0; i < 600; ++i) {
    double const part = l.repay(1s);
    EXPECT_LE(part, 0.25 * 100 / 60 + 1e-9);
    sum += part;
  }
  return sum;
}

TEST(HiddenLimitMeasures, WhatALoweredValueLeftBehindIsGivenOutSlowly) {
  auto l = raised_again();
  double const sum = repaid(l);
  EXPECT_GT(sum, 5);
  EXPECT_LE(sum, 100);
  EXPECT_EQ(l.repay(1s), 0);
}

TEST(HiddenLimitMeasures, ARefusalSaysThatNothingIsLeftBehind) {
  auto l = raised_again();
  l.met(meets(200, start + 5min), false);
  l.admitted(201, start + 5min, start + 5min + 1s);
  EXPECT_EQ(repaid(l), 0);
}

}  // namespace
}  // namespace cooldown
