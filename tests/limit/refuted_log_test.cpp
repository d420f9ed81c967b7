// A sliding log that is believed can be refuted by what headers show, however it came to be believed.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr double limit = 30'000;

class RefutedLog : public testing::Test {
 protected:
  /// `overlap`: how many others it may have been confused with.
  void admitted(double n, std::uint64_t remaining, duration at, unsigned overlap = 0) {
    auto const m = b_.take(n, start + at);
    b_.observe(m, n, {.limit = 30'000, .remaining = remaining, .reset = {}}, start + at, start + at + 50ms, overlap,
               fate::charged);
  }
  void refused(double n, duration at) {
    b_.refused(b_.take(n, start + at), n, 1, std::nullopt, 0, start + at, start + at + 50ms);
  }
  /// A log is suspected, a header shows a little more, and then a window's end brings nothing.
  void prove() {
    admitted(15'000, 15'000, 0s);
    refused(18'000, 20s);
    for (unsigned i = 0; i < 5; ++i) admitted(400, 21'000 - 400 * i, 50s + 1s * i, 10);
    ASSERT_EQ(b_.believed(), belief::reassumed_bucket);
    refused(18'000, 56s);
    b_.level(start + 121s);
    refused(29'000, 122s);
    ASSERT_EQ(b_.believed(), belief::proven_sliding);
  }
  budget b_{limit, 60s, refill::continuous, start, {}};
};

TEST_F(RefutedLog, WhatAllOfTheLatestHeadersShowRefutesWhatWasProven) {
  prove();
  admitted(25'000, 5000, 200s);
  for (auto at = 220s; at < 225s; at += 1s) admitted(100, 15'000, at, 10);
  EXPECT_EQ(b_.believed(), belief::reassumed_bucket);
}

TEST_F(RefutedLog, OneHeaderIsNotEnoughForThat) {
  prove();
  admitted(25'000, 5000, 200s);
  admitted(100, 15'000, 220s, 10);
  EXPECT_EQ(b_.believed(), belief::proven_sliding);
}

TEST_F(RefutedLog, LessThanALogHasIsTheWorkOfOthers) {
  prove();
  admitted(10'000, 20'000, 200s);
  for (auto at = 220s; at < 230s; at += 1s) admitted(100, 1000, at, 10);
  EXPECT_EQ(b_.believed(), belief::proven_sliding);
}

TEST_F(RefutedLog, ItHoldsNoMoreThanItsLimitHoweverCostsWereMisjudged) {
  for (unsigned i = 1; i <= 20; ++i) admitted(10'000, 30'000 - 1000 * i, 0s);  // 200,000 are counted
  refused(12'000, 5s);
  ASSERT_EQ(b_.model(), refill::sliding);
  EXPECT_NEAR(b_.level(start + 6s), 0, 1);
  EXPECT_LE(b_.used(start + 6s), limit);
}

}  // namespace
}  // namespace cooldown
