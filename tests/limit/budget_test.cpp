#include "cooldown/limit/budget.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr budget_settings settings{};
constexpr budget_settings pinned_bucket{.pinned = refill::continuous};

budget bucket(double limit = 60'000) {
  return {limit, 60s, refill::continuous, start, settings};
}

limit_snapshot says(std::uint64_t limit, std::uint64_t remaining, std::optional<duration> reset = {}) {
  return {.limit = limit, .remaining = remaining, .reset = reset};
}

TEST(Budget, RefillsContinuouslyUpToItsLimit) {
  auto b = bucket();
  b.take(60'000, start);
  EXPECT_EQ(b.level(start), 0);
  EXPECT_EQ(b.level(start + 1s), 1000);
  EXPECT_EQ(b.level(start + 10min), 60'000);
}

TEST(Budget, IsNeverEarly) {
  auto b = bucket();
  b.take(60'000, start);
  auto const ready = b.ready_at(1000, start);
  EXPECT_GE(ready, start + 1s);
  EXPECT_LE(ready, start + 1s + 12ms);
  EXPECT_GT(b.ready_at(1000, ready - 1us), ready - 1us);
  EXPECT_EQ(b.ready_at(1000, ready), ready);
}

TEST(Budget, MoreThanTheLimitFitsWhenAllOfItIsThere) {
  auto b = bucket();
  b.take(1000, start);
  EXPECT_GE(b.ready_at(100'000, start), start + 1s);
  EXPECT_LE(b.ready_at(100'000, start), start + 1500ms);  // a little later: travel times differ
}

TEST(Budget, GivingBackIsTheInverseOfTaking) {
  auto b = bucket();
  b.take(30'000, start);
  auto const m = b.take(20'000, start);
  b.give_back(m, 20'000, start, start);
  EXPECT_EQ(b.level(start), 30'000);
}

TEST(Budget, AHeaderCorrectsTheLevelOfNowByTheErrorOfThen) {
  auto b = bucket();
  auto const first = b.take(1000, start);
  b.take(5000, start + 1s);
  b.observe(first, 1000, says(60'000, 40'000), start, start + 2s, 0, fate::charged);
  // 40,000 after the first; then 5,000 went and two seconds refilled (the first of them could not: the bucket was
  // full).
  EXPECT_NEAR(b.level(start + 2s), 37'000, 1100);
}

TEST(Budget, OrderOfAnswersDoesNotMatter) {
  auto const run = [](bool swapped) {
    auto b = bucket();
    auto const one = b.take(10'000, start);
    auto const two = b.take(10'000, start + 1s);
    auto const see_one = [&] { b.observe(one, 10'000, says(60'000, 30'000), start, start + 3s, 0, fate::charged); };
    auto const see_two = [&] {
      b.observe(two, 10'000, says(60'000, 21'000), start + 1s, start + 3s, 0, fate::charged);
    };
    if (swapped) {
      see_two();
      see_one();
    } else {
      see_one();
      see_two();
    }
    return b.level(start + 3s);
  };
  EXPECT_NEAR(run(false), 23'000, 200);
  EXPECT_NEAR(run(true), 23'000, 200);
}

TEST(Budget, ADropIsBelievedAtOnceARiseOnlyWhenItLasts) {
  budget b(60'000, 24h, refill::continuous, start, settings);  // refills by 0.7 a second
  auto now = start;
  auto const see = [&](std::uint64_t remaining) {
    now += 300ms;
    auto const m = b.take(0, now);
    b.observe(m, 0, says(60'000, remaining), now, now, 0, fate::charged);
    return b.level(now);
  };
  EXPECT_NEAR(see(20'000), 20'000, 1);
  EXPECT_NEAR(see(30'000), 20'000, 1);  // may have been met before another that we do not know of
  EXPECT_NEAR(see(30'000), 20'000, 1);
  EXPECT_NEAR(see(30'000), 20'000, 1);
  EXPECT_NEAR(see(30'000), 30'000, 2);
  EXPECT_NEAR(see(10'000), 10'000, 1);
}

TEST(Budget, ARefusalWithoutWordsTakesHalfThenMuchMore) {
  budget b(60'000, 60s, refill::continuous, start, pinned_bucket);
  auto m = b.take(58'000, start);
  b.observe(m, 58'000, says(60'000, 2000), start, start, 0, fate::charged);
  m = b.take(1000, start);
  b.refused(m, 1000, 1, std::nullopt, 0, start, start);
  EXPECT_NEAR(b.level(start), 500, 1);
  m = b.take(1000, start + 600ms);
  b.refused(m, 1000, 2, std::nullopt, 0, start + 600ms, start + 600ms);
  EXPECT_NEAR(b.level(start + 600ms), -1000, 60);  // twice as much is missing
}

TEST(Budget, ARefusalThatHeadersHaveExplainedSinceChangesNothing) {
  budget b(60'000, 60s, refill::continuous, start, pinned_bucket);
  auto const early = b.take(1000, start);
  auto const other = b.take(1000, start);
  b.observe(early, 1000, says(60'000, 500), start, start, 0, fate::charged);
  EXPECT_NEAR(b.level(start), -500, 1);
  b.refused(other, 1000, 1, std::nullopt, 0, start, start);
  EXPECT_NEAR(b.level(start), 500, 1);
}

TEST(Budget, KeepsAMarginAfterARefusalAndForgetsIt) {
  budget b(60'000, 60s, refill::continuous, start, pinned_bucket);
  auto m = b.take(59'000, start);
  b.observe(m, 59'000, says(60'000, 1000), start, start, 0, fate::charged);
  m = b.take(1000, start);
  b.refused(m, 1000, 1, std::nullopt, 0, start, start);
  EXPECT_NEAR(seconds_of(b.ready_at(1000, start) - start), 0.75, 0.02);  // 500 missing, and 250 more
  b.take(b.level(start + 20min), start + 20min);
  EXPECT_NEAR(seconds_of(b.ready_at(1000, start + 20min) - start - 20min), 1.0, 0.02);  // 1,000 missing
}

TEST(Budget, SlidesByWhatWasTakenOneWindowAgo) {
  budget b(1000, 60s, refill::continuous, start, {.pinned = refill::sliding});
  b.take(600, start);
  auto const second = b.take(400, start + 10s);
  EXPECT_EQ(b.level(start + 60s - 1ns), 0);
  EXPECT_EQ(b.level(start + 60s), 600);
  EXPECT_GT(b.ready_at(590, start + 60s), start + 60s);  // a little later: travel times differ
  EXPECT_LE(b.ready_at(590, start + 60s), start + 60s + 50ms);
  EXPECT_EQ(b.ready_at(590, start + 60s + 50ms), start + 60s + 50ms);
  EXPECT_GE(b.ready_at(700, start + 61s), start + 70s);
  EXPECT_LE(b.ready_at(700, start + 61s), start + 70s + 50ms);
  b.give_back(second, 300, start + 10s, start + 62s);
  EXPECT_EQ(b.level(start + 62s), 900);
  EXPECT_EQ(b.level(start + 71s), 1000);
}

TEST(Budget, ARefusalAloneSaysThatALimitIsUsedUpNotHowLargeItIs) {
  budget b(300, 60s, refill::continuous, start, settings);
  auto now = start;
  for (int i = 0; i < 60; ++i) b.take(1, now += 10ms);
  auto const sent = now += 10ms;
  auto const m = b.take(1, sent);
  auto const together = b.take(1, sent);
  b.refused(m, 1, 1, 60s, 1, sent, now += 2ms);
  EXPECT_EQ(b.limit(), 300);
  EXPECT_TRUE(b.learned());
  b.refused(together, 1, 1, 60s, 0, sent, now);
  EXPECT_NEAR(b.level(now), 0, 0.1) << "requests sent together are one refusal";
}

TEST(Budget, WhatComesInBetweenTwoRefusalsIsTheRefill) {
  budget b(300, 60s, refill::continuous, start, settings);
  auto now = start;
  for (int i = 0; i < 30; ++i) b.take(1, now);
  b.refused(b.take(1, now), 1, 1, 60s, 0, now, now);
  for (int i = 0; i < 20; ++i) {
    auto const m = b.take(1, now += 2s);
    b.admitted(m, 1, now, now);
  }
  b.refused(b.take(1, now += 10ms), 1, 1, 60s, 0, now, now);
  EXPECT_NEAR(b.limit(), 30, 1);
}

/// A limit of `configured` that was learned to be 30.
budget learned_to_be_30(double configured, duration window, time_point& now) {
  budget b(configured, window, refill::continuous, start, settings);
  for (int i = 0; i < 30; ++i) b.take(1, now);
  b.refused(b.take(1, now), 1, 1, 60s, 0, now, now);
  for (int i = 0; i < 20; ++i) {
    auto const m = b.take(1, now += window / 30);
    b.admitted(m, 1, now, now);
  }
  b.refused(b.take(1, now += 10ms), 1, 1, 60s, 0, now, now);
  return b;
}

TEST(Budget, ComesBackToTheConfiguredLimitBySteps) {
  for (auto const window : {duration{60s}, duration{1h}, duration{24h}}) {
    auto now = start;
    auto b = learned_to_be_30(1000, window, now);
    ASSERT_NEAR(b.limit(), 30, 1);
    auto const since = now;
    while (b.limit() < 1000 && now < since + 30 * window) {
      now = b.ready_at(1, now);
      auto const m = b.take(1, now);
      b.admitted(m, 1, now, now);
    }
    EXPECT_EQ(b.limit(), 1000);
    EXPECT_LE(now - since, 10 * window);
  }
}

TEST(Budget, AStepThatIsRefusedIsTriedLessAndLessOften) {
  auto now = start;
  auto b = learned_to_be_30(300, 60s, now);
  // The truth is 30.
  double level = 0;
  auto at = now;
  int refusals = 0;
  auto const end = now + 1h;
  while (now < end) {
    now = b.ready_at(1, now);
    auto const m = b.take(1, now);
    level = std::min(30.0, level + seconds_of(now - at) / 2);
    at = now;
    if (level >= 1) {
      level -= 1;
      b.admitted(m, 1, now, now);
    } else {
      ++refusals;
      b.refused(m, 1, 1, 60s, 0, now, now);
      now += 500ms;
    }
  }
  EXPECT_LE(refusals, 15);
  EXPECT_NEAR(b.limit(), 30, 8);
}

TEST(Budget, AResetBeyondItsWindowIsItsWindow) {
  budget b(1000, 1h, refill::window, start, settings);
  auto const m = b.take(100, start);
  b.observe(m, 100, says(1000, 0, 1000h), start, start, 0, fate::charged);
  EXPECT_LE(b.next_reset(), start + 1h);
  EXPECT_LE(b.ready_at(100, start + 1s), start + 1h + 100ms);
}

TEST(Budget, AFailureWithHeadersIsAReadingAndKeepsNoMargin) {
  budget b(60'000, 60s, refill::continuous, start, pinned_bucket);
  auto m = b.take(50'000, start);
  b.observe(m, 50'000, says(60'000, 10'000), start, start, 0, fate::charged);
  for (int i = 0; i < 20; ++i) {
    m = b.take(1000, start);
    b.observe(m, 1000, says(60'000, 10'000), start, start, 0, fate::unknown);
    b.give_back(m, 1000, start, start);
  }
  EXPECT_NEAR(b.level(start), 10'000, 1001);
  EXPECT_EQ(b.ready_at(8900, start), start);
}

TEST(Budget, AResetThatIsSentIsTheProvidersWord) {
  budget b(1000, 60s, refill::window, start, settings);
  auto const m = b.take(100, start);
  b.observe(m, 100, says(1000, 50, 10s), start, start, 0, fate::charged);
  EXPECT_EQ(b.next_reset(), start + 10s);
  EXPECT_EQ(b.level(start + 9s), 50);
  EXPECT_EQ(b.ready_at(100, start + 9s), start + 10s + 100ms);
  EXPECT_EQ(b.level(start + 10s + 99ms), 50);
  EXPECT_EQ(b.level(start + 10s + 100ms), 100);  // a tenth, until a fresh header
}

TEST(Budget, ALateHeaderFromBeforeTheResetChangesNothing) {
  budget b(1000, 60s, refill::window, start, settings);
  auto const old = b.take(100, start);
  b.observe(old, 100, says(1000, 0, 1s), start, start, 0, fate::charged);
  auto const later = start + 2s;
  EXPECT_EQ(b.level(later), 100);
  b.observe(old, 100, says(1000, 0, 1s), start, later, 0, fate::charged);
  EXPECT_EQ(b.level(later), 100);
  EXPECT_FALSE(b.next_reset());
}

TEST(Budget, ResetsThatEqualTheTimeToFullMakeABucketOfIt) {
  budget b(60'000, 60s, refill::window, start, settings);
  auto now = start;
  for (int i = 0; i < 3; ++i) {
    now += 100ms;
    auto const left = 40'000U - 5000U * static_cast<unsigned>(i);
    auto const m = b.take(5000, now);
    b.observe(m, 5000, says(60'000, left, duration_of_seconds((60'000.0 - left) / 1000)), now, now, 0, fate::charged);
  }
  EXPECT_EQ(b.model(), refill::continuous);
  EXPECT_FALSE(b.next_reset());
  EXPECT_NEAR(b.level(now + 1s), 31'000, 200);
}

TEST(Budget, AUsedUpWindowIsNotTakenForABucket) {
  budget b(60'000, 60s, refill::window, start, settings);
  auto now = start + 500ms;
  for (int i = 0; i < 20; ++i) {
    now += 20ms;
    auto const left = 20'000U - 1000U * static_cast<unsigned>(i);
    auto const m = b.take(1000, now);
    b.observe(m, 1000, says(60'000, left, start + 60s - now), now, now, 0, fate::charged);
  }
  EXPECT_EQ(b.model(), refill::window);
  EXPECT_NEAR(seconds_of(*b.next_reset() - start), 60, 0.001);
}

TEST(Budget, FollowsSomebodyElseWhoUsesTheSameQuota) {
  auto b = bucket();
  auto now = start;
  double truth = 60'000;
  for (int i = 0; i < 300; ++i) {
    now += 200ms;
    truth = std::min(60'000.0, truth + 200 - 100);  // half of the refill goes elsewhere
    double const n = std::min(300.0, truth);
    truth -= n;
    auto const m = b.take(n, now);
    b.observe(m, n, says(60'000, static_cast<std::uint64_t>(truth)), now, now, 0, fate::charged);
  }
  EXPECT_NEAR(b.drift(), 500, 100);
}

TEST(Budget, AWindowThatNobodyAnnouncesEndsByTheClock) {
  // Pinned, and no header tells of it: what was taken comes back at the minute, not never.
  budget b(1000, 60s, refill::continuous, start, {.pinned = refill::window});
  b.align(20s);
  b.take(1000, start + 1s);
  auto const end = start + 40s + 100ms;  // a minute of the wall clock
  EXPECT_EQ(b.ready_at(100, start + 2s), end);
  EXPECT_EQ(b.level(end - 1ns), 0);
  EXPECT_EQ(b.level(end), 100);  // a tenth, as after any reset
  EXPECT_EQ(b.ready_at(500, end), end);
}

TEST(Budget, AWindowThatIsNoLongerAnnouncedStillEnds) {
  budget b(1000, 60s, refill::window, start, settings);
  auto const m = b.take(900, start);
  b.observe(m, 900, says(1000, 100, 10s), start, start, 0, fate::charged);
  auto const probed = start + 11s;
  auto const probe = b.take(100, probed);
  b.observe(probe, 100, says(1000, 0), probed, probed + 1s, 0, fate::charged);  // without a reset
  auto const ready = b.ready_at(500, probed + 2s);
  EXPECT_LE(ready, probed + 60s + 100ms);
  EXPECT_EQ(b.ready_at(500, ready), ready);
}

TEST(Budget, TheFirstHeaderCountsHoweverLongItTook) {
  for (auto const latency : {1s, 59s, 61s, 200s}) {
    budget b(1000, 60s, refill::window, start, settings);
    auto const m = b.take(100, start);
    b.take(200, start + latency - 500ms);
    b.observe(m, 100, says(1000, 300, 10s), start, start + latency, 0, fate::charged);
    EXPECT_EQ(b.level(start + latency), 100);
    EXPECT_EQ(b.next_reset(), start + latency + 10s);
  }
}

TEST(Budget, OurOwnCountIsNotBelowEmptyForLong) {
  // Spent by others before we came: refused at once, and taken for a tiny limit.
  budget b(100'000, 3600s, refill::continuous, start, pinned_bucket);
  auto const refused = b.take(500, start);
  b.take(5000, start);
  b.refused(refused, 500, 1, std::nullopt, 5000, start, start + 10ms);
  EXPECT_LT(b.level(start + 1s), 0);
  EXPECT_LE(b.ready_at(500, start + 2h), start + 4h);
}

}  // namespace
}  // namespace cooldown
