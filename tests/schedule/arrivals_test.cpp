// A request that comes back after waiting resumes its position.
#include "cooldown/schedule/arrivals.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr wall_time wall{std::chrono::hours{490'000}};
constexpr arrivals::request mine{.credential = 1, .client = 2, .body = 3};

TEST(Arrivals, EachIsTakenOverOnceTheOldestFirst) {
  arrivals a;
  a.keep(mine, 7, start);
  a.keep(mine, 5, start + 1s);
  EXPECT_EQ(a.take(mine, start + 2s), 5U);
  EXPECT_EQ(a.take(mine, start + 2s), 7U);
  EXPECT_FALSE(a.take(mine, start + 2s));
}

TEST(Arrivals, AnotherClientCredentialOrBodyGetsNone) {
  arrivals a;
  a.keep(mine, 7, start);
  for (auto other : {arrivals::request{9, 2, 3}, {1, 9, 3}, {1, 2, 9}, {1, 2, 0}}) EXPECT_FALSE(a.take(other, start));
  a.keep({1, 2, 0}, 8, start);
  EXPECT_FALSE(a.take({1, 2, 0}, start)) << "an unknown body is like no other";
}

TEST(Arrivals, TheyAreForgottenAfterTwoMinutesFromTheLastTime) {
  arrivals a;
  a.keep(mine, 7, start);
  EXPECT_EQ(a.take(mine, start + 2min - 1ns), 7U);
  a.keep(mine, 7, start + 1min);
  EXPECT_EQ(a.take(mine, start + 3min - 1ns), 7U);
  a.keep(mine, 7, start + 4min);
  EXPECT_FALSE(a.take(mine, start + 6min));
}

TEST(Arrivals, TheyAreBounded) {
  arrivals a;
  for (std::uint64_t i = 1; i <= 3 * arrivals::most; ++i) a.keep({1, i, 1}, i, start);
  EXPECT_LE(a.size(), arrivals::most);
  EXPECT_FALSE(a.take({1, 1, 1}, start));
  EXPECT_TRUE(a.take({1, 3 * arrivals::most, 1}, start));
  for (std::uint64_t i = 1; i <= 3 * arrivals::most; ++i) {
    a.keep(mine, i, start);
    a.take(mine, start);
  }
  EXPECT_LE(a.size(), arrivals::most);
}

/// A limiter whose quota is used up.
class ReturningClients : public ::testing::Test {
 protected:
  ReturningClients() {
    limiter_settings settings;
    settings.quota.rpm_limit = 1e6;
    settings.quota.replenishment = refill::continuous;
    limiter.configure(settings, start);
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "60000"},
                                   {"x-ratelimit-remaining-tokens-minute", "0"}};
    limiter.update_from_headers({1, "m"}, fields, start, wall);
  }

  ticket_id wait(std::uint64_t body, time_point now, std::uint64_t client = 1, duration patience = 10min) {
    ticket_facts t;
    t.scope = {1, "m"};
    t.size.max_output_tokens = 30'000;
    t.client = client;
    t.body_hash = body;
    t.max_wait = patience;
    auto const decided = limiter.submit(t, now);
    auto const* const q = std::get_if<queued>(&decided);
    return q ? q->id : 0;
  }

  std::size_t position(ticket_id id, time_point now) { return limiter.standing_of(id, now)->position; }

  cerebras_limiter limiter{limiter_settings{}};
};

TEST_F(ReturningClients, WhoDisconnectedWhileItWaitedGoesWhereItStood) {
  auto const first = wait(11, start);
  wait(12, start);
  wait(13, start);
  limiter.leave(first, start + 20s);
  EXPECT_EQ(position(wait(11, start + 21s), start + 21s), 1U);
  EXPECT_EQ(position(wait(11, start + 22s), start + 22s), 4U) << "once";
}

TEST_F(ReturningClients, ABodyMayBeNamedOnceItWaits) {
  EXPECT_FALSE(limiter.awaits_returns()) << "nobody needs the hash of a body";
  auto const first = wait(0, start);
  limiter.identify(first, 11);
  wait(12, start);
  limiter.leave(first, start + 20s);
  EXPECT_TRUE(limiter.awaits_returns());
  EXPECT_EQ(position(wait(11, start + 21s), start + 21s), 1U);
  limiter.identify(12345, 11);  // ended meanwhile: nothing happens
}

TEST_F(ReturningClients, WhoWasRejectedWhileItWaitedGoesWhereItStood) {
  wait(10, start);
  auto const hasty = wait(12, start, 1, 45s);
  wait(13, start);
  auto const events = limiter.poll(start + 45s);
  ASSERT_EQ(events.size(), 2U) << "the first went";
  ASSERT_EQ(events[1].id, hasty);
  ASSERT_TRUE(events[1].refusal);
  EXPECT_EQ(position(wait(12, start + 46s), start + 46s), 1U);
}

TEST_F(ReturningClients, ARejectionAtOnceTakesNothingAway) {
  auto const first = wait(11, start);
  wait(12, start);
  limiter.leave(first, start + 1s);
  EXPECT_EQ(wait(11, start + 2s, 1, 1s), 0U);
  EXPECT_EQ(position(wait(11, start + 3s), start + 3s), 1U);
}

TEST_F(ReturningClients, AnotherBodyOrClientGoesToTheEnd) {
  auto const first = wait(11, start);
  wait(12, start);
  limiter.leave(first, start + 20s);
  EXPECT_EQ(position(wait(99, start + 21s), start + 21s), 2U);
  auto const other = wait(11, start + 21s, 2);
  EXPECT_EQ(position(wait(11, start + 22s), start + 22s), 1U) << "it is still there for whom it is";
  limiter.leave(other, start + 22s);
}

TEST_F(ReturningClients, WhoHadBeenReleasedStandsNowhere) {
  auto const first = wait(11, start);
  wait(12, start);
  limiter.poll(start + 31s);
  limiter.leave(first, start + 32s);
  EXPECT_EQ(position(wait(11, start + 32s), start + 32s), 2U);
}

}  // namespace
}  // namespace cooldown
