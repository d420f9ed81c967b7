// What is learned of a refill when answers, and so their headers, take as long as windows, and others use the limit.
#include <deque>

#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr double limit = 30'000;

struct LateEvidence : ::testing::Test {
  budget::mark sent(double n, duration at) { return b.take(n, start + at); }
  void answered(const budget::mark& m, double n, std::uint64_t remaining, duration at, duration heard,
                unsigned overlap = 0) {
    b.observe(m, n, {.limit = 30'000, .remaining = remaining, .reset = {}}, start + at, start + heard, overlap,
              fate::charged);
  }
  void admitted(double n, std::uint64_t remaining, duration at, unsigned overlap = 0) {
    answered(sent(n, at), n, remaining, at, at + 50ms, overlap);
  }
  void refused(double n, duration at) {
    b.level(start + at);
    b.refused(b.take(n, start + at), n, 1, std::nullopt, 0, start + at, start + at + 50ms);
  }
  /// By a log that was refuted, and a refusal of the whole limit.
  void suspect_window() {
    admitted(15'000, 15'000, 0s);
    refused(18'000, 20s);
    for (auto at = 50s; at < 55s; at += 1s) admitted(400, 28'000, at, 10);
    refused(29'000, 60s);
    b.level(start + 121s);
    ASSERT_EQ(b.believed(), belief::resuspected_window);
  }
  budget b{limit, 60s, refill::continuous, start, {}};
};

TEST_F(LateEvidence, WhatABucketGetsBackCountsHoweverManyWindowsWereSupposedToEndSince) {
  b.configure({.pinned = refill::window});
  auto const m = sent(20'000, 50s);
  b.level(start + 61s);
  b.configure({.pinned = refill::continuous});
  auto const before = b.level(start + 62s);
  b.give_back(m, 15'000, start + 50s, start + 62s);
  EXPECT_NEAR(b.level(start + 62s), before + 15'000, 1);
}

TEST_F(LateEvidence, TheFirstPromptHeaderJudgesAnEndHoweverLongTheProbeTakes) {
  suspect_window();
  sent(1'000, 121s);  // answered in a minute
  b.level(start + 127s);
  admitted(1'000, 28'000, 128s);
  EXPECT_EQ(b.believed(), belief::doubted_window);
}

TEST_F(LateEvidence, AfterAProbeThatIsQuietOnlyOneMoreGoesWhereAWindowIsOnlySuspected) {
  suspect_window();
  sent(1'000, 121s);
  ASSERT_LE(b.ready_at(1'000, start + 127s), start + 127s);
  sent(1'000, 127s);
  EXPECT_GT(b.ready_at(1'000, start + 127s), start + 127s);
}

TEST_F(LateEvidence, ATestIsJudgedByItsHeaderEvenAfterTheWindow) {
  suspect_window();
  admitted(1'000, 29'000, 122s);
  ASSERT_EQ(b.believed(), belief::doubted_window);
  admitted(28'000, 1'000, 123s);
  auto const at = b.ready_at(3'000, start + 124s);
  ASSERT_LT(at, start + 170s) << "a bucket would have room for three";
  ASSERT_LE(b.ready_at(3'000, at), at);
  auto const m = b.take(3'000, at);
  b.level(start + 181s);
  b.observe(m, 3'000, {.limit = 30'000, .remaining = 6'000, .reset = {}}, at, start + 190s, 0, fate::charged);
  EXPECT_EQ(b.believed(), belief::proven_bucket);
}

TEST_F(LateEvidence, LessThanAnyModelSaysRightAfterAnEndIsTheWorkOfOthers) {
  suspect_window();
  admitted(1'000, 12'000, 122s);
  EXPECT_EQ(b.believed(), belief::proven_bucket) << "in a hundredth of a second nobody takes half of a window";
}

TEST_F(LateEvidence, TheFirstThatTheProviderMeetsDoesNotShowMoreThanALogHas) {
  b.align(40s);  // windows would end 20 seconds after a whole minute
  std::deque<budget::mark> sent_at_once;
  for (unsigned i = 0; i < 20; ++i) sent_at_once.push_back(sent(1'500, 0s));
  for (unsigned met = 1; met <= 20; ++met) {
    answered(sent_at_once.back(), 1'500, 30'000 - 1'500 * met, 0s, 50ms, 19);
    sent_at_once.pop_back();
  }
  refused(1'500, 4s);
  ASSERT_EQ(b.believed(), belief::suspected_window);
  refused(1'500, 21s);
  EXPECT_EQ(b.believed(), belief::proven_sliding) << "what came back until then rules out a log only if all say so";
}

TEST(ProvenBucket, ThatIsASlidingLogIsTakenForOneAfterSomeRoundsOfRefusals) {
  budget b(1'000, 60s, refill::continuous, start, {});
  auto known = b.save(start);
  known.belief = static_cast<std::uint8_t>(belief::proven_bucket);
  known.reported = known.shown = true;
  ASSERT_TRUE(b.restore(known, start));
  std::deque<time_point> admitted;
  unsigned refused = 0, in_a_row = 0;
  for (auto now = start; now < start + 30min; now += 500ms) {
    now = b.ready_at(200, now);
    auto const m = b.take(200, now);
    while (!admitted.empty() && admitted.front() + 60s <= now) admitted.pop_front();
    if (admitted.size() == 5) {
      b.refused(m, 200, ++in_a_row, {}, 0, now, now + 50ms);
      ++refused;
      continue;
    }
    in_a_row = 0;
    admitted.push_back(now);
    b.observe(m, 200, {.limit = 1'000, .remaining = 1'000 - 200 * admitted.size(), .reset = {}}, now, now + 50ms, 0,
              fate::charged);
  }
  EXPECT_EQ(b.model(), refill::sliding);
  EXPECT_LT(refused, 15U);
}

TEST_F(LateEvidence, AProvenBucketStaysOneWhileHeadersShowMoreThanALogHas) {
  for (auto at = 0s; at < 20s; at += 1s) {
    auto const left = 29'000.0 - 500.0 * seconds_of(at);
    admitted(1'000, static_cast<std::uint64_t>(left), at);
  }
  admitted(17'000, 2'500, 20s);
  for (auto const at : {40s, 50s, 60s}) {
    refused(10'000, at);
    admitted(1'000, 12'000, at + 5s);
  }
  EXPECT_EQ(b.believed(), belief::proven_bucket);
}

}  // namespace
}  // namespace cooldown
