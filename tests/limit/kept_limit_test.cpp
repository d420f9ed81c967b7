// What refusals have taught of a limit is the same after a restart.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

budget after_a_restart(budget& b, time_point now) {
  budget other(1e6, 60s, refill::continuous, now, {});
  EXPECT_TRUE(other.restore(b.save(now), now));
  return other;
}

TEST(KeptLimit, StaysToldAndMeasured) {
  budget before(1e6, 60s, refill::continuous, start, {});
  before.guessed();
  before.told(40);
  ASSERT_TRUE(before.is_measured());
  auto after = after_a_restart(before, start + 1s);
  EXPECT_EQ(after.limit(), 40);
  EXPECT_TRUE(after.is_measured());
  // A refusal does not make a bucket's refill of it, since it is told.
  for (int i = 0; i < 40; ++i) after.take(1, start + 2s);
  for (auto const at : {4s, 7s})
    after.refused(after.take(1, start + at), 1, 1, std::nullopt, 0, start + at, start + at + 1ms);
  EXPECT_EQ(after.limit(), 40);
  EXPECT_EQ(after.believed(), belief::proven_sliding);
}

TEST(KeptLimit, StaysDryUntilWhenRefusalsHaveShown) {
  budget before(1e6, 60s, refill::continuous, start, {});
  for (int i = 0; i < 40; ++i) before.admitted(before.take(1, start), 1, start, start + 1ms);
  // The provider's word: nothing before 22 seconds.
  before.refused(before.take(1, start + 1s), 1, 1, 21s, 0, start + 1s, start + 1s);
  auto after = after_a_restart(before, start + 2s);
  after.admitted(after.take(1, start + 24s), 1, start + 24s, start + 24s);
  EXPECT_EQ(after.limit(), 40);
  EXPECT_EQ(after.believed(), belief::proven_window);
}

TEST(KeptLimit, StaysOneThatAnswersShow) {
  budget before(60, 60s, refill::continuous, start, {});
  auto const m = before.take(1, start);
  before.observe(m, 1, {.limit = 60, .remaining = 59, .reset = {}}, start, start + 1ms, 0, fate::charged);
  ASSERT_FALSE(before.only_refusals_show());
  EXPECT_FALSE(after_a_restart(before, start + 1s).only_refusals_show());
}

}  // namespace
}  // namespace cooldown
