#include "cooldown/exchange/circuit_breaker.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using state = circuit_breaker::state;

constexpr time_point start{std::chrono::hours{1000}};

using permit = circuit_breaker::permit;

permit allowed(circuit_breaker& b, time_point now) {
  auto const p = b.allow(now);
  EXPECT_TRUE(p);
  return p.value_or(permit());
}
void fail(circuit_breaker& b, time_point now) {
  b.failed(allowed(b, now), now);
}
void succeed(circuit_breaker& b, time_point now) {
  b.succeeded(allowed(b, now));
}

circuit_breaker opened() {
  circuit_breaker b({.failure_threshold = 3, .open_for = 60s, .half_open_requests = 2});
  for (int i = 0; i < 3; ++i) fail(b, start);
  return b;
}

TEST(CircuitBreaker, SwitchedOffItCloses) {
  auto b = opened();
  b.configure({.failure_threshold = 0, .open_for = 60s, .half_open_requests = 2});
  EXPECT_EQ(b.current(start), state::closed);
  EXPECT_TRUE(b.allow(start));
}

TEST(CircuitBreaker, OpensAfterFailuresInARow) {
  circuit_breaker b({.failure_threshold = 3, .open_for = 60s, .half_open_requests = 2});
  fail(b, start);
  fail(b, start);
  succeed(b, start);
  fail(b, start);
  fail(b, start);
  EXPECT_EQ(b.current(start), state::closed);
  fail(b, start);
  EXPECT_EQ(b.current(start), state::open);
  EXPECT_EQ(b.failures(), 3U);
  EXPECT_FALSE(b.allow(start));
  EXPECT_EQ(b.retry_at(start), start + 60s);
}

TEST(CircuitBreaker, TriesAgainAFewAtATime) {
  auto b = opened();
  EXPECT_FALSE(b.allow(start + 60s - 1ns));
  auto const later = start + 60s;
  EXPECT_EQ(b.current(later), state::half_open);
  auto const first = allowed(b, later);
  auto const second = allowed(b, later);
  EXPECT_FALSE(b.allow(later));
  b.succeeded(first);
  EXPECT_EQ(b.current(later), state::half_open);
  b.succeeded(second);
  EXPECT_EQ(b.current(later), state::closed);
  EXPECT_EQ(b.failures(), 0U);
}

TEST(CircuitBreaker, OneFailedTrialOpensItAgain) {
  auto b = opened();
  auto const later = start + 60s;
  fail(b, later);
  EXPECT_EQ(b.current(later + 59s), state::open);
  EXPECT_FALSE(b.allow(later + 59s));
  EXPECT_TRUE(b.allow(later + 60s));
}

TEST(CircuitBreaker, AnAbandonedTrialFreesItsPlace) {
  auto b = opened();
  auto const later = start + 60s;
  allowed(b, later);
  auto const second = allowed(b, later);
  ASSERT_FALSE(b.allow(later));
  b.abandoned(second);
  EXPECT_TRUE(b.allow(later));
}

TEST(CircuitBreaker, AThresholdOfZeroSwitchesItOff) {
  circuit_breaker b({.failure_threshold = 0, .open_for = 60s, .half_open_requests = 1});
  for (int i = 0; i < 100; ++i) fail(b, start);
  EXPECT_TRUE(b.allow(start));
  EXPECT_EQ(b.current(start), state::closed);
}

TEST(CircuitBreaker, ALateVerdictDoesNotCount) {
  circuit_breaker b({.failure_threshold = 3, .open_for = 60s, .half_open_requests = 2});
  std::vector<permit> late;
  for (int i = 0; i < 8; ++i) late.push_back(allowed(b, start));
  for (int i = 0; i < 3; ++i) fail(b, start);
  auto const later = start + 60s;
  auto const trial = allowed(b, later);
  ASSERT_TRUE(trial.trial);
  b.failed(late[0], later);
  EXPECT_EQ(b.current(later), state::half_open) << "a failure opens nothing";
  EXPECT_EQ(b.failures(), 3U);
  b.succeeded(late[1]);
  b.succeeded(late[2]);
  EXPECT_EQ(b.current(later), state::half_open) << "successes close nothing";
  b.abandoned(late[3]);
  allowed(b, later);
  EXPECT_FALSE(b.allow(later)) << "and no trial's place is freed";
  b.failed(trial, later);
  ASSERT_EQ(b.current(later), state::open);
  auto const last = later + 60s;
  auto const again = allowed(b, last);
  b.failed(trial, last);
  EXPECT_EQ(b.current(last), state::half_open) << "of trials before, neither";
  b.succeeded(again);
  succeed(b, last);
  ASSERT_EQ(b.current(last), state::closed);
  for (int i = 4; i < 8; ++i) b.failed(late[static_cast<std::size_t>(i)], last);
  EXPECT_EQ(b.failures(), 0U);
  EXPECT_EQ(b.current(last), state::closed);
}

TEST(CircuitBreaker, StatusesThatTheRequestCausedAreNoFailures) {
  for (unsigned const status : {200U, 204U, 301U, 400U, 404U, 429U, 499U, 501U, 505U, 506U, 508U, 510U})
    EXPECT_FALSE(is_provider_failure(status)) << status;
  for (unsigned const status : {500U, 502U, 503U, 504U, 507U, 511U, 520U, 524U, 529U, 599U, 999U})
    EXPECT_TRUE(is_provider_failure(status)) << status;
}

TEST(CircuitBreaker, Names) {
  EXPECT_STREQ(name_of(state::closed), "CLOSED");
  EXPECT_STREQ(name_of(state::open), "OPEN");
  EXPECT_STREQ(name_of(state::half_open), "HALF_OPEN");
}

}  // namespace
}  // namespace cooldown
