// Requests sent later than their release: they waited for the circuit breaker, or are retried.
#include <array>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr double cost = 4'908;

struct LimiterRenew : ::testing::Test {
  LimiterRenew() {
    limiter_settings settings;
    settings.quota.rpm_limit = 1e6;
    settings.quota.tpm_limit = 60'000;
    settings.quota.replenishment = refill::continuous;
    limiter.configure(settings, start);
    std::array<header_field, 2> const full{
        {{"x-ratelimit-limit-tokens-minute", "60000"}, {"x-ratelimit-remaining-tokens-minute", "60000"}}};
    limiter.update_from_headers(scope, full, start, wall);
  }

  /// Returns whether it goes at once.
  bool submit(time_point now) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = static_cast<std::uint64_t>(cost) - 8;
    auto const decided = limiter.submit(t, now);
    if (auto const* const yes = std::get_if<go>(&decided)) released.push_back(yes->id);
    return std::holds_alternative<go>(decided);
  }

  /// Puts all back; returns how many go again at once, and in which order.
  std::vector<ticket_id> renew_all(time_point now) {
    for (auto const id : released) limiter.renew(id, now);
    std::vector<ticket_id> again;
    for (auto const& e : limiter.poll(now))
      if (!e.refusal) again.push_back(e.id);
    return again;
  }

  cerebras_limiter limiter{limiter_settings{}};
  std::vector<ticket_id> released;
};

TEST_F(LimiterRenew, WhatIsSentAMinuteLaterIsTakenFromTheQuotaOfThen) {
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(submit(start));
  // The breaker was open for a minute: the bucket is full again, and is used up now, not a minute ago.
  EXPECT_EQ(renew_all(start + 60s), released);
  for (int i = 0; i < 12; ++i) EXPECT_FALSE(submit(start + 62s)) << i;
}

TEST_F(LimiterRenew, WhatIsReleasedAnewKeepsItsPlaceBeforeNewcomers) {
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(submit(start));
  ASSERT_FALSE(submit(start));
  auto const first = released.front();
  limiter.renew(first, start + 1s);
  auto const again = limiter.poll(start + 10s);
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again.front().id, first);
}

TEST_F(LimiterRenew, NothingIsReservedTwice) {
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(submit(start));
  for (int round = 0; round < 10; ++round) EXPECT_EQ(renew_all(start + 1s).size(), 12U);
  for (auto const id : released) limiter.not_sent(id, start + 2s);
  EXPECT_EQ(limiter.counters().released, 12U) << "a release anew is none more";
  EXPECT_EQ(limiter.in_flight(), 0U);
  EXPECT_NEAR(limiter.status(scope, start + 2s).remaining_tokens, 60'000, 1);
}

TEST_F(LimiterRenew, WhatASentAttemptMayHaveCostStaysChargedThoughItsClientLeaves) {
  ASSERT_TRUE(submit(start));
  limiter.renew(released.front(), start + 1s, true);
  limiter.leave(released.front(), start + 1s);
  EXPECT_NEAR(limiter.status(scope, start + 1s).remaining_tokens, 60'000 - cost + 1'000, 1);
}

TEST_F(LimiterRenew, ASentAttemptIsChargedToTheQuotaAndNotToItsClientsSecondTry) {
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(submit(start));
  for (auto const id : released) limiter.renew(id, start + 1s, true);
  EXPECT_EQ(limiter.poll(start + 1s).size(), 6U);
  EXPECT_FALSE(submit(start + 1s));
}

TEST_F(LimiterRenew, WhoWaitsOrIsUnknownStaysAsItIs) {
  limiter.renew(4711, start);
  EXPECT_EQ(limiter.queue_length(), 0U);
}

}  // namespace
}  // namespace cooldown
