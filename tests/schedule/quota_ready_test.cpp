// When a quota has room for a request: savings for other classes, and releases that were not sent.
#include <gtest/gtest.h>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1000h};

quota showing(std::uint64_t left_of_minute, std::uint64_t left_of_hour) {
  quota q({}, start);
  rate_limit_snapshot s;
  *s.limits.get({resource::tokens, window::minute}) = {.limit = 60'000, .remaining = left_of_minute, .reset = {}};
  *s.limits.get({resource::tokens, window::hour}) = {.limit = 1'000'000, .remaining = left_of_hour, .reset = {}};
  q.update(s, start);
  return q;
}

TEST(QuotaReady, WhatIsSavedIsKeptInTheMinutesBucketOnly) {
  auto q = showing(60'000, 5'000);
  EXPECT_EQ(q.ready_at(1'000, 0s, start, {.kept = 20'000}), start) << "the hour keeps nothing";
  auto little = showing(5'000, 1'000'000);
  EXPECT_GT(little.ready_at(1'000, 0s, start, {.kept = 20'000}), start + 10s);
}

TEST(QuotaReady, AProbeThatIsNotSentLeavesTheSilenceAsItWas) {
  auto q = showing(60'000, 0);
  auto const due = start + snapshot_lifetime;
  auto const asks = [&](time_point now) { return q.ready_at(300'000, 0s, now) <= now; };
  ASSERT_FALSE(asks(due - 1s));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(asks(due)) << i;
    q.cancel(q.reserve(300'000, 0, due), due);
  }
  auto const first = q.reserve(1'000, 0, due);
  auto const second = q.reserve(1'000, 0, due + 1s);
  q.cancel(first, due + 1s);
  q.cancel(second, due + 2s);
  EXPECT_TRUE(asks(due + 2s)) << "in whatever order they are given back";
  q.reserve(1'000, 0, due + 3s);
  EXPECT_FALSE(asks(due + 4s));
}

TEST(QuotaReady, AProbeThatTheProviderRefusesForGoodHasBeenSent) {
  auto q = showing(60'000, 0);
  auto const due = start + snapshot_lifetime;
  q.uncharged(q.reserve(300'000, 0, due), due);
  EXPECT_GT(q.ready_at(300'000, 0s, due), due);
}

}  // namespace
}  // namespace cooldown
