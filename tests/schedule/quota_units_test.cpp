// Limits over windows without a word for them, and limits of input and of output tokens.
#include <gtest/gtest.h>

#include "cooldown/schedule/quota.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1000h};
constexpr limit_id requests_10s{resource::requests, *window::of(10s)};
constexpr limit_id input{resource::input_tokens, window::minute};
constexpr limit_id output{resource::output_tokens, window::minute};

/// Of tokens a minute there is plenty.
quota showing(std::initializer_list<std::pair<limit_id, limit_snapshot>> limits) {
  quota q({}, start);
  rate_limit_snapshot s;
  *s.limits.get({resource::tokens, window::minute}) = {.limit = 1'000'000, .remaining = 1'000'000, .reset = {}};
  for (auto const& [id, shown] : limits) *s.limits.get(id) = shown;
  q.update(s, start);
  return q;
}

TEST(QuotaUnits, ALimitOverTenSecondsRefillsInTenSeconds) {
  auto q = showing({{requests_10s, {.limit = 10, .remaining = 0, .reset = {}}}});
  auto const ready = q.ready({100}, 0s, start);
  EXPECT_GE(ready.at, start + 1s);
  EXPECT_LE(ready.at, start + 1500ms);
  EXPECT_STREQ(name_of(ready.by), "requests_second");
}

TEST(QuotaUnits, InputAndOutputAreLimitedApart) {
  auto q = showing({{input, {.limit = 6'000, .remaining = 1'000, .reset = {}}},
                    {output, {.limit = 600, .remaining = 100, .reset = {}}}});
  EXPECT_EQ(q.ready_at({900, 850}, 0s, start), start);
  EXPECT_GT(q.ready_at({2'050, 2'000}, 0s, start), start + 5s) << "the input";
  EXPECT_GT(q.ready_at({900, 600}, 0s, start), start + 5s) << "the output";
}

TEST(QuotaUnits, WhatComesBackComesBackToEach) {
  auto q = showing({{input, {.limit = 6'000, .remaining = 6'000, .reset = {}}},
                    {output, {.limit = 1'000, .remaining = 1'000, .reset = {}}}});
  auto const id = q.reserve(1'500, 700, start);
  EXPECT_NEAR(q.level(resource::input_tokens, window::minute, start), 5'300, 1);
  EXPECT_NEAR(q.level(resource::output_tokens, window::minute, start), 200, 1);
  q.settle(id, {.total = 750, .input = 700}, start);
  EXPECT_NEAR(q.level(resource::input_tokens, window::minute, start), 5'300, 1);
  EXPECT_NEAR(q.level(resource::output_tokens, window::minute, start), 950, 1);
}

TEST(QuotaUnits, ARefusalThatNamesOutputLeavesTheOtherLimitsAlone) {
  auto q = showing({});
  auto const id = q.reserve(1'500, 700, start);
  q.observe(id, nullptr, fate::refused, start + 1s);
  q.refused(id, {.counts = resource::output_tokens, .over = window::minute, .limit = 1'000, .retry_after = 20s},
            nullptr, start + 1s);
  ASSERT_NE(q.find(output), nullptr);
  EXPECT_EQ(q.find(output)->limit(), 1'000);
  EXPECT_EQ(q.find({resource::tokens, window::minute})->limit(), 1'000'000);
}

TEST(QuotaUnits, MoreLimitsThanAnyProviderHasAreIgnored) {
  quota q({}, start);
  rate_limit_snapshot s;
  for (unsigned i = 2; i <= most_limits; ++i)
    *s.limits.get({resource::requests, *window::of(i * 1s)}) = {.limit = 1'000, .remaining = 1'000, .reset = {}};
  q.update(s, start);
  rate_limit_snapshot more;
  *more.limits.get(input) = {.limit = 1'000, .remaining = 1'000, .reset = {}};
  q.update(more, start);
  EXPECT_EQ(q.find(input), nullptr);
  EXPECT_EQ(q.limits().size(), most_limits - 1) << "tokens a minute have their place, seen or not";
}

}  // namespace
}  // namespace cooldown
