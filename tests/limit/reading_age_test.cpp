#include "cooldown/limit/reading_age.hpp"

#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

rate_limit_snapshot shows(std::uint64_t tokens, std::uint64_t requests = 10) {
  rate_limit_snapshot s;
  *s.limits.get({resource::tokens, window::minute}) = {.limit = 60'000, .remaining = tokens, .reset = {}};
  *s.limits.get({resource::requests, window::day}) = {.limit = 1000, .remaining = requests, .reset = {}};
  return s;
}

TEST(ReadingAge, WhatChangesIsNews) {
  reading_age ages;
  EXPECT_FALSE(ages.repeats(shows(5000), true, start));
  EXPECT_FALSE(ages.repeats(shows(4000), true, start + 1s));
  EXPECT_FALSE(ages.repeats(shows(4000, 9), true, start + 2s));  // one of them has changed
}

TEST(ReadingAge, ARepetitionThatWasExpectedIsNews) {
  reading_age ages;
  EXPECT_FALSE(ages.repeats(shows(59'000), false, start));
  EXPECT_FALSE(ages.repeats(shows(59'000), false, start + 1s));
}

TEST(ReadingAge, ARepetitionThatWasNotExpectedIsACopy) {
  reading_age ages;
  EXPECT_FALSE(ages.repeats(shows(5000), true, start));
  EXPECT_TRUE(ages.repeats(shows(5000), true, start + 1s));
  EXPECT_TRUE(ages.repeats(shows(5000), true, start + 9s));
  EXPECT_FALSE(ages.repeats(shows(3000), true, start + 10s));
}

TEST(ReadingAge, SeveralReplicasCopyInTurn) {
  reading_age ages;
  for (std::uint64_t replica = 0; replica < 3; ++replica) ages.repeats(shows(5000 + replica), true, start);
  for (int i = 0; i < 9; ++i)
    EXPECT_TRUE(ages.repeats(shows(5000 + static_cast<std::uint64_t>(i % 3)), true, start + 1s * i));
}

TEST(ReadingAge, NothingIsACopyForLong) {
  reading_age ages;
  ages.repeats(shows(5000), true, start);
  EXPECT_TRUE(ages.repeats(shows(5000), true, start + 60s));
  EXPECT_FALSE(ages.repeats(shows(5000), true, start + 120s));
}

class CopiedHeaders : public testing::Test {
 protected:
  budget::mark send(double n, time_point at) { return tokens_.take(n, at); }
  void read(const budget::mark& m, std::uint64_t remaining, time_point sent) {
    limit_snapshot const s{.limit = 60'000, .remaining = remaining, .reset = {}};
    tokens_.observe(m, 1000, s, sent, sent + 50ms, 0, fate::charged);
  }
  budget tokens_{60'000, 60s, refill::continuous, start, {.pinned = refill::window}};  // nothing comes back by and by
};

TEST_F(CopiedHeaders, ARemainingThatDoesNotFallIsSurprising) {
  auto const first = send(1000, start);
  read(first, 40'000, start);
  auto const second = send(1000, start + 1s);
  EXPECT_FALSE(tokens_.surprised_by(39'000, second, 1000));
  EXPECT_FALSE(tokens_.surprised_by(39'200, second, 1000));  // somebody got something back
  EXPECT_TRUE(tokens_.surprised_by(40'000, second, 1000));
}

TEST_F(CopiedHeaders, WhatACopyAnswersStaysTakenOff) {
  read(send(1000, start), 40'000, start);
  for (auto t = start + 1s; t < start + 6s; t += 1s) tokens_.observe_copy(send(1000, t), t, t + 50ms);
  EXPECT_EQ(tokens_.level(start + 6s), 35'000);
}

TEST_F(CopiedHeaders, TheNextHeaderIncludesWhatCopiesHaveAnswered) {
  read(send(1000, start), 40'000, start);
  for (auto t = start + 1s; t < start + 6s; t += 1s) tokens_.observe_copy(send(1000, t), t, t + 50ms);
  read(send(1000, start + 6s), 33'000, start + 6s);  // a thousand less than we thought
  EXPECT_EQ(tokens_.level(start + 7s), 33'000);
  tokens_.observe_copy(send(1000, start + 7s), start + 7s, start + 8s);
  EXPECT_EQ(tokens_.level(start + 8s), 32'000);
}

TEST_F(CopiedHeaders, ManyOfThemAreKeptWithinBounds) {
  reckoning level(1e9);
  auto const first = level.take(1, start);
  level.observe(first, 1e9 - 1, start, start);
  auto t = start;
  for (int i = 0; i < 100'000; ++i, t += 10ms) level.not_shown(level.take(1, t), t);
  EXPECT_EQ(level.level(), 1e9 - 100'001);
  EXPECT_LE(level.pending_requests(), 2048U);
}

}  // namespace
}  // namespace cooldown
