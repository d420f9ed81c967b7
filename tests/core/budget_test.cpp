#include "cooldown/core/budget.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr budget_settings settings{};

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
  EXPECT_LE(ready, start + 1s + 10ms);
  EXPECT_GT(b.ready_at(1000, ready - 1ns), ready - 1ns);
  EXPECT_EQ(b.ready_at(1000, ready), ready);
}

TEST(Budget, MoreThanTheLimitFitsWhenAllOfItIsThere) {
  auto b = bucket();
  b.take(1000, start);
  EXPECT_EQ(b.ready_at(100'000, start), start + 1s);
}

TEST(Budget, GivingBackIsTheInverseOfTaking) {
  auto b = bucket();
  b.take(30'000, start);
  auto const m = b.take(20'000, start);
  b.give_back(m, 20'000, start);
  EXPECT_EQ(b.level(start), 30'000);
}

TEST(Budget, AHeaderCorrectsTheLevelOfNowByTheErrorOfThen) {
  auto b = bucket();
  auto const first = b.take(1000, start);
  b.take(5000, start + 1s);
  b.observe(first, 1000, says(60'000, 40'000), start, start + 2s, 0, true);
  // 40,000 after the first; then 5,000 went and two seconds refilled (the first of them could not: the bucket was
  // full).
  EXPECT_NEAR(b.level(start + 2s), 37'000, 1100);
}

TEST(Budget, OrderOfAnswersDoesNotMatter) {
  auto const run = [](bool swapped) {
    auto b = bucket();
    auto const one = b.take(10'000, start);
    auto const two = b.take(10'000, start + 1s);
    auto const see_one = [&] { b.observe(one, 10'000, says(60'000, 30'000), start, start + 3s, 0, true); };
    auto const see_two = [&] { b.observe(two, 10'000, says(60'000, 21'000), start + 1s, start + 3s, 0, true); };
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
  auto b = bucket();
  auto m = b.take(100, start);
  b.observe(m, 100, says(60'000, 20'000), start, start, 3, true);
  EXPECT_NEAR(b.level(start), 20'000, 1);
  m = b.take(100, start);
  b.observe(m, 100, says(60'000, 30'000), start, start, 3, true);
  EXPECT_NEAR(b.level(start), 19'900, 1);  // may be a request that was overtaken
  for (int i = 0; i < 4; ++i) {
    m = b.take(0, start);
    b.observe(m, 0, says(60'000, 30'000), start, start, 3, true);
  }
  EXPECT_NEAR(b.level(start), 30'000, 1);
}

TEST(Budget, ARefusalWithoutWordsTakesHalfThenAll) {
  auto b = bucket();
  b.take(58'000, start);
  auto m = b.take(1000, start);
  b.refused(m, 1000, 1, std::nullopt, start);
  EXPECT_NEAR(b.level(start), 500, 1);
  m = b.take(1000, start + 600ms);
  b.refused(m, 1000, 2, std::nullopt, start + 600ms);
  EXPECT_NEAR(b.level(start + 600ms), 0, 60);
}

TEST(Budget, AResetThatIsSentIsTheProvidersWord) {
  budget b(1000, 60s, refill::window, start, settings);
  auto const m = b.take(100, start);
  b.observe(m, 100, says(1000, 50, 10s), start, start, 0, true);
  EXPECT_EQ(b.next_reset(), start + 10s);
  EXPECT_EQ(b.level(start + 9s), 50);
  EXPECT_EQ(b.ready_at(100, start + 9s), start + 10s + 100ms);
  EXPECT_EQ(b.level(start + 10s + 99ms), 50);
  EXPECT_EQ(b.level(start + 10s + 100ms), 100);  // a tenth, until a fresh header
}

TEST(Budget, ALateHeaderFromBeforeTheResetChangesNothing) {
  budget b(1000, 60s, refill::window, start, settings);
  auto const old = b.take(100, start);
  b.observe(old, 100, says(1000, 0, 1s), start, start, 0, true);
  auto const later = start + 2s;
  EXPECT_EQ(b.level(later), 100);
  b.observe(old, 100, says(1000, 0, 1s), start, later, 0, true);
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
    b.observe(m, 5000, says(60'000, left, duration_of_seconds((60'000.0 - left) / 1000)), now, now, 0, true);
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
    b.observe(m, 1000, says(60'000, left, start + 60s - now), now, now, 0, true);
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
    b.observe(m, n, says(60'000, static_cast<std::uint64_t>(truth)), now, now, 0, true);
  }
  EXPECT_NEAR(b.drift(), 500, 100);
}

}  // namespace
}  // namespace cooldown
