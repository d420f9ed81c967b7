#include "cooldown/core/reckoning.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

TEST(Reckoning, ABurstThatIsAnsweredInAnyOrderLeavesTheTruth) {
  // Five requests at once, met by the provider in another order; every order of answers, 120 of them.
  constexpr double costs[] = {100, 200, 300, 400, 500};
  constexpr std::size_t met[] = {3, 0, 4, 2, 1};
  std::vector<std::size_t> answers{0, 1, 2, 3, 4};
  do {
    reckoning r(10'000);
    std::vector<reckoning::mark> marks;
    for (double const c : costs) marks.push_back(r.take(c, start));
    std::vector<double> shown(5);
    double left = 9'000;  // a thousand less than we think
    for (auto const i : met) shown[i] = left -= costs[i];
    for (auto const i : answers) {
      r.observe(marks[i], shown[i], start, start + 100ms);
      EXPECT_LE(r.level(), 7'500) << "never more than there is";
    }
    EXPECT_EQ(r.level(), 7'500);
  } while (std::next_permutation(answers.begin(), answers.end()));
}

TEST(Reckoning, WhatWentOutAfterIsTakenOff) {
  reckoning r(10'000);
  auto const first = r.take(1'000, start);
  r.take(2'000, start + 1s);
  r.observe(first, 5'000, start, start + 2s);
  EXPECT_EQ(r.level(), 3'000);
}

TEST(Reckoning, WhatWasSentLongBeforeIsIncluded) {
  reckoning r(10'000);
  r.take(2'000, start);  // never answered
  auto const later = r.take(1'000, start + 1s);
  r.observe(later, 5'000, start + 1s, start + 2s);
  EXPECT_EQ(r.level(), 5'000);
}

TEST(Reckoning, ARefundThatCrossedARequestIsNotCountedTwice) {
  reckoning r(10'000);
  auto const big = r.take(8'000, start);
  r.observe(big, 2'000, start, start + 100ms);
  auto const next = r.take(500, start + 1s);
  // The provider refunds 7,800 of the first, then meets the second; we hear of the refund only afterwards.
  r.refund(7'800, start + 1s + 10ms);
  r.observe(next, 9'300, start + 1s, start + 1s + 60ms);
  EXPECT_LE(r.level(), 9'300);
}

TEST(Reckoning, RefundsAreIncome) {
  reckoning r(10'000);
  auto const a = r.take(8'000, start);
  r.observe(a, 2'000, start, start + 100ms);
  r.refund(7'000, start + 1s);
  EXPECT_EQ(r.level(), 9'000);
  auto const b = r.take(1'000, start + 2s);
  r.observe(b, 8'000, start + 2s, start + 3s);
  EXPECT_EQ(r.level(), 8'000);
}

TEST(Reckoning, WhatWasNeverChargedComesBackOnce) {
  reckoning r(10'000);
  auto const a = r.take(1'000, start);
  auto const b = r.take(2'000, start);
  r.untake(b, 2'000);
  EXPECT_EQ(r.level(), 9'000);
  r.untake(b, 2'000);
  EXPECT_EQ(r.level(), 9'000);
  // Seen without it, and sent long before: nothing was taken off for it any more.
  auto const c = r.take(100, start + 1s);
  r.observe(c, 8'900, start + 1s, start + 1s);
  EXPECT_EQ(r.level(), 8'900);
  r.untake(a, 1'000);
  EXPECT_EQ(r.level(), 8'900);
}

TEST(Reckoning, AFullBucketTakesNoMore) {
  reckoning r(10'000);
  r.refill(500);
  r.cap(10'000);
  EXPECT_EQ(r.level(), 10'000);
  auto const m = r.take(1'000, start);
  r.observe(m, 9'000, start, start);
  EXPECT_EQ(r.level(), 9'000);
}

TEST(Reckoning, LoweringLasts) {
  reckoning r(10'000);
  auto const m = r.take(1'000, start);
  r.observe(m, 9'000, start, start);
  r.lower(4'000);
  EXPECT_EQ(r.level(), 5'000);
  auto const again = r.take(0, start + 1ms);
  r.observe(again, 9'000, start + 1ms, start + 1ms);
  EXPECT_EQ(r.level(), 5'000);
}

TEST(Reckoning, ANewWindowForgetsTheOld) {
  reckoning r(10'000);
  auto const m = r.take(9'000, start);
  r.observe(m, 1'000, start, start);
  r.restart(500);
  EXPECT_EQ(r.level(), 500);
  auto const first = r.take(100, start + 1s);
  r.observe(first, 9'900, start + 1s, start + 2s);
  EXPECT_EQ(r.level(), 9'900);
}

TEST(Reckoning, OldRefundsAreForgottenOnTheCarefulSide) {
  reckoning r(1'000'000);
  auto const old = r.take(10, start);
  for (int i = 0; i < 1000; ++i) r.refund(10, start + 1s + i * 1ms);
  r.observe(old, 500'000, start, start + 10s);
  EXPECT_LE(r.level(), 510'000);
}

}  // namespace
}  // namespace cooldown
