#include "cooldown/core/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using state = circuit_breaker::state;

constexpr time_point start{std::chrono::hours{1000}};

circuit_breaker opened() {
  circuit_breaker b({.failure_threshold = 3, .open_for = 60s, .half_open_requests = 2});
  for (int i = 0; i < 3; ++i) b.failed(start);
  return b;
}

TEST(CircuitBreaker, OpensAfterFailuresInARow) {
  circuit_breaker b({.failure_threshold = 3, .open_for = 60s, .half_open_requests = 2});
  b.failed(start);
  b.failed(start);
  b.succeeded(start);
  b.failed(start);
  b.failed(start);
  EXPECT_EQ(b.current(start), state::closed);
  EXPECT_TRUE(b.allow(start));
  b.failed(start);
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
  EXPECT_TRUE(b.allow(later));
  EXPECT_TRUE(b.allow(later));
  EXPECT_FALSE(b.allow(later));
  b.succeeded(later);
  EXPECT_EQ(b.current(later), state::half_open);
  b.succeeded(later);
  EXPECT_EQ(b.current(later), state::closed);
  EXPECT_EQ(b.failures(), 0U);
}

TEST(CircuitBreaker, OneFailedTrialOpensItAgain) {
  auto b = opened();
  auto const later = start + 60s;
  ASSERT_TRUE(b.allow(later));
  b.failed(later);
  EXPECT_EQ(b.current(later + 59s), state::open);
  EXPECT_FALSE(b.allow(later + 59s));
  EXPECT_TRUE(b.allow(later + 60s));
}

TEST(CircuitBreaker, AnAbandonedTrialFreesItsPlace) {
  auto b = opened();
  auto const later = start + 60s;
  ASSERT_TRUE(b.allow(later));
  ASSERT_TRUE(b.allow(later));
  ASSERT_FALSE(b.allow(later));
  b.abandoned();
  EXPECT_TRUE(b.allow(later));
}

TEST(CircuitBreaker, AThresholdOfZeroSwitchesItOff) {
  circuit_breaker b({.failure_threshold = 0, .open_for = 60s, .half_open_requests = 1});
  for (int i = 0; i < 100; ++i) b.failed(start);
  EXPECT_TRUE(b.allow(start));
  EXPECT_EQ(b.current(start), state::closed);
}

TEST(CircuitBreaker, Names) {
  EXPECT_STREQ(name_of(state::closed), "CLOSED");
  EXPECT_STREQ(name_of(state::open), "OPEN");
  EXPECT_STREQ(name_of(state::half_open), "HALF_OPEN");
}

}  // namespace
}  // namespace cooldown
