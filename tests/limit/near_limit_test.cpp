// Requests near or at the whole limit; and sliding logs.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

limit_snapshot says(std::uint64_t limit, std::uint64_t remaining) {
  return {.limit = limit, .remaining = remaining, .reset = {}};
}

budget::mark admitted(budget& b, double n, const limit_snapshot& s, time_point at) {
  auto const m = b.take(n, at);
  b.observe(m, n, s, at, at + 50ms, 0, fate::charged);
  return m;
}

TEST(NearLimit, ARequestOfTheWholeLimitGoesALittleLaterThanWhenItIsFull) {
  budget b(1, 60s, refill::continuous, start, {});
  EXPECT_EQ(b.ready_at(1, start), start);  // it has been full for long
  admitted(b, 1, says(1, 0), start);
  auto const ready = b.ready_at(1, start + 1s);
  EXPECT_GE(ready, start + 60s + 100ms);  // travel times differ
  EXPECT_LE(ready, start + 60s + 250ms);
  EXPECT_EQ(b.ready_at(1, start + 60s), ready);
  EXPECT_EQ(b.ready_at(1, ready), ready);
  EXPECT_EQ(b.ready_at(1, start + 2min), start + 2min);
}

TEST(NearLimit, MoreThanTheConfiguredLimitIsForbiddenOnlyWhileSomeOfItIsUsed) {
  budget b(30'000, 60s, refill::continuous, start, {});
  EXPECT_FALSE(b.forbids(40'000, start)) << "else no probe would ever tell that the provider admits it";
  b.take(1, start);
  EXPECT_TRUE(b.forbids(40'000, start + 59s));
  EXPECT_FALSE(b.forbids(40'000, start + 61s));
}

class OneRefusal : public testing::Test {
 protected:
  OneRefusal() {
    admitted(b_, 15'000, says(30'000, 15'000), start);
    auto const m = b_.take(18'000, start + 20s);  // a bucket would have 20,000
    b_.refused(m, 18'000, 1, std::nullopt, 0, start + 20s, start + 20s + 50ms);
  }
  budget b_{30'000, 60s, refill::continuous, start, {}};
};

TEST_F(OneRefusal, ThatOnlyALogExplainsIsBelievedAtOnce) {
  EXPECT_EQ(b_.model(), refill::sliding);
  EXPECT_NEAR(b_.level(start + 21s), 15'000, 1);
  EXPECT_GE(b_.ready_at(18'000, start + 21s), start + 60s);
  EXPECT_LE(b_.ready_at(18'000, start + 21s), start + 60s + 50ms);
}

TEST_F(OneRefusal, IsRefutedByAHeaderThatShowsMore) {
  admitted(b_, 2000, says(30'000, 28'000), start + 50s);
  EXPECT_EQ(b_.model(), refill::continuous);
  auto const m = b_.take(29'000, start + 60s);
  b_.refused(m, 29'000, 1, std::nullopt, 0, start + 60s, start + 60s + 50ms);
  EXPECT_NE(b_.model(), refill::sliding);  // it was tried before
}

TEST_F(OneRefusal, IsForgottenInTheEnd) {
  EXPECT_EQ(b_.model(), refill::sliding);
  b_.level(start + 2h);
  EXPECT_EQ(b_.model(), refill::continuous);
}

TEST_F(OneRefusal, IsRefutedByARowOfThemThatTheLogDoesNotExplain) {
  for (auto t = start + 2min; t <= start + 4min; t += 1min) {
    EXPECT_EQ(b_.model(), refill::sliding);
    auto const m = b_.take(2000, t);
    b_.refused(m, 2000, 1, std::nullopt, 0, t, t + 50ms);
  }
  EXPECT_EQ(b_.model(), refill::continuous);
}

TEST(SlidingLog, IsTrueAfterTenDays) {
  budget b(1'000'000, 24h, refill::continuous, start, {.pinned = refill::sliding});
  auto t = start;
  for (int i = 0; i < 10 * 24 * 180; ++i, t += 20s) {
    auto const m = b.take(100, t);
    auto const taken = std::min(i + 1, 24 * 180) * 100;
    if (i % 10 == 0)
      b.observe(m, 100, says(1'000'000, static_cast<std::uint64_t>(1'000'000 - taken)), t, t + 50ms, 0, fate::charged);
  }
  EXPECT_NEAR(b.level(t - 20s), 568'000, 5680);
}

TEST(ToldLimits, ALowerLimitHoldsWithoutARemaining) {
  budget b(60'000, 60s, refill::continuous, start, {});
  admitted(b, 1000, says(60'000, 59'000), start);
  admitted(b, 1000, {.limit = 6000, .remaining = {}, .reset = {}}, start + 1s);
  EXPECT_EQ(b.capacity(), 6000);
  EXPECT_LE(b.level(start + 2s), 6000);
}

TEST(ToldLimits, AResetOfNoughtAnnouncesNoWindow) {
  budget b(60'000, 60s, refill::continuous, start, {});
  admitted(b, 1000, {.limit = 60'000, .remaining = 20'000, .reset = 0s}, start);
  EXPECT_EQ(b.model(), refill::continuous);
  EXPECT_FALSE(b.next_reset());
}

}  // namespace
}  // namespace cooldown
