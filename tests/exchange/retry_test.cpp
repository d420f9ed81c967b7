#include "cooldown/exchange/retry.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

attempt_facts metered() {
  attempt_facts f;
  f.metered = true;
  f.method = "POST";
  f.allowed = 2;
  return f;
}

TEST(Retry, MeteredRequestsAreRepeatedWithinBounds) {
  auto f = metered();
  f.sent = true;
  auto const first = retry_pause(f);
  ASSERT_TRUE(first);
  f.repeats = 1;
  auto const second = retry_pause(f);
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
  f.repeats = 2;
  EXPECT_FALSE(retry_pause(f));
  f = metered();
  f.allowed = 0;
  EXPECT_FALSE(retry_pause(f));
}

TEST(Retry, OnlyStatusesThatAnotherAttemptMayCure) {
  for (unsigned const status : {502U, 503U, 504U}) {
    auto f = metered();
    f.status = status;
    EXPECT_TRUE(retry_pause(f)) << status;
    f.metered = false;
    EXPECT_FALSE(retry_pause(f)) << status;
  }
  for (unsigned const status : {200U, 400U, 401U, 402U, 404U, 408U, 422U, 429U, 500U, 501U}) {
    auto f = metered();
    f.status = status;
    EXPECT_FALSE(retry_pause(f)) << status;
  }
}

TEST(Retry, NothingAfterTheAnswerHasBegun) {
  auto f = metered();
  f.response_started = true;
  EXPECT_FALSE(retry_pause(f));
}

TEST(Retry, AnotherPostIsNeverSentTwice) {
  auto f = metered();
  f.metered = false;
  EXPECT_TRUE(retry_pause(f));  // nothing was sent yet
  f.sent = true;
  EXPECT_FALSE(retry_pause(f));
  f.method = "GET";
  EXPECT_TRUE(retry_pause(f));
}

TEST(Retry, AStaleConnectionIsNoFailureOfTheRequest) {
  auto f = metered();
  f.sent = true;
  f.stale = true;
  f.repeats = 2;
  EXPECT_EQ(retry_pause(f), 0s) << "at once, whatever is left of the repeats";
  f.allowed = 0;
  EXPECT_FALSE(retry_pause(f)) << "it was there just now, so it may have seen the request";
  f.rested = 100ms;
  EXPECT_EQ(retry_pause(f), 0s);
  f.metered = false;
  EXPECT_FALSE(retry_pause(f)) << "another POST may have been carried out";
  f.method = "GET";
  EXPECT_EQ(retry_pause(f), 0s);
}

TEST(Retry, ABadCertificateStaysBad) {
  auto f = metered();
  f.certificate = true;
  EXPECT_FALSE(retry_pause(f));
}

TEST(Retry, RetryAfterIsObeyedIfShort) {
  auto f = metered();
  f.status = 503;
  f.retry_after = 3s;
  EXPECT_EQ(retry_pause(f), 3s);
  f.retry_after = 60s;
  EXPECT_FALSE(retry_pause(f));
}

TEST(Retry, ARetryAfterOfNothingIsNotFasterThanOurOwnPauses) {
  auto f = metered();
  f.status = 503;
  for (unsigned repeat = 0; repeat < f.allowed; ++repeat) {
    f.repeats = repeat;
    f.retry_after.reset();
    auto const own = retry_pause(f);
    for (auto const told : {duration::zero(), duration{1ms}}) {
      f.retry_after = told;
      EXPECT_EQ(retry_pause(f), own);
    }
  }
}

}  // namespace
}  // namespace cooldown
