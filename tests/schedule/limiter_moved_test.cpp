// Requests that other limiters have had before: what they had to wait for there is not forgotten.
#include <gtest/gtest.h>

#include "cooldown/schedule/offers.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

struct LimiterMoved : ::testing::Test {
  cerebras_limiter limiter{limiter_settings{}};
  time_point now = start;

  ticket_facts request(unsigned refused_before = 0) const {
    ticket_facts t;
    t.scope = scope;
    t.arrived = start;
    t.arrival = 1;
    t.refused_before = refused_before;
    return t;
  }
  observation refuse(ticket_id id) {
    return limiter.observe(
        id, {.status = 429, .headers = {}, .error = {.message = "", .type = "", .code = "queue_exceeded"}}, now, wall);
  }
};

}  // namespace

TEST_F(LimiterMoved, ItsBackoffGrowsOn) {
  duration last{};
  for (unsigned const before : {0U, 1U, 2U, 3U}) {
    cerebras_limiter fresh{limiter_settings{}};
    auto const id = std::get<go>(fresh.submit(request(before), now)).id;
    auto const seen = fresh.observe(
        id, {.status = 429, .headers = {}, .error = {.message = "", .type = "", .code = "queue_exceeded"}}, now, wall);
    ASSERT_EQ(seen.what, verdict::queue_again);
    ASSERT_TRUE(seen.backs_off_until);
    EXPECT_GT(*seen.backs_off_until - now, last) << before;
    last = *seen.backs_off_until - now;
  }
  EXPECT_GE(last, 4s);
}

TEST_F(LimiterMoved, WhatBacksOffHereWaitsHereWhenItComesBack) {
  auto const id = std::get<go>(limiter.submit(request(3), now)).id;
  auto const until = *refuse(id).backs_off_until;
  limiter.leave(id, now);
  auto back = request(4);
  back.not_before = until;
  now += 1ms;
  EXPECT_EQ(wait_at(limiter, back, now), until - now);
  auto const decided = limiter.submit(back, now);
  auto const* const waits = std::get_if<queued>(&decided);
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->expected, until);
  EXPECT_EQ(waits->held_by, constraint::capacity);
  EXPECT_TRUE(limiter.poll(until - 1ms).empty());
  auto const released = limiter.poll(until);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_FALSE(released[0].refusal);
}

TEST_F(LimiterMoved, WhatBacksOffCanBeForeseenAndLeave) {
  auto waits = request(1);
  waits.not_before = now + 10s;
  auto const before = limiter.entries();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait_at(limiter, waits, now), 10s);
  auto const id = std::get<queued>(limiter.submit(waits, now)).id;
  EXPECT_EQ(limiter.queue_length(), 1U);
  limiter.leave(id, now);
  EXPECT_EQ(limiter.queue_length(), 0U);
  EXPECT_LE(limiter.entries(), before + 1) << "the scope";
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(request(), now)));
}

TEST_F(LimiterMoved, WhoeverWaitsForLessThanItsBackoffIsRefusedAtOnce) {
  auto waits = request(1);
  waits.not_before = now + 10s;
  waits.max_wait = 1s;
  auto const decided = limiter.submit(waits, now);
  EXPECT_EQ(std::get<refused>(decided).why, reason::queue_timeout);
}

TEST_F(LimiterMoved, OnlyARefusalForGoodIsIncurable) {
  auto impatient = request();
  impatient.max_wait = 0s;
  auto const id = std::get<go>(limiter.submit(impatient, now)).id;
  auto const seen = refuse(id);
  EXPECT_EQ(seen.what, verdict::pass);
  EXPECT_FALSE(seen.incurable);
  limiter.settle(id, 0, std::nullopt, now);
  now += 10min;
  auto const other = std::get<go>(limiter.submit(request(), now)).id;
  auto const for_good = limiter.observe(
      other, {.status = 429, .headers = {}, .error = {.message = "", .type = "", .code = "insufficient_quota"}}, now,
      wall);
  EXPECT_EQ(for_good.what, verdict::pass);
  EXPECT_TRUE(for_good.incurable);
}

}  // namespace cooldown
