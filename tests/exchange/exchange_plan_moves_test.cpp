// When a request goes on to another destination because one does not serve it.
#include <gtest/gtest.h>

#include "cooldown/exchange/exchange_plan.hpp"

using namespace cooldown;
using namespace std::chrono_literals;
using step = exchange_step::what;
using kind = attempt_end::what;

namespace {

time_point const start{1h};

exchange_step after(attempt_end end, unsigned retries = 2, bool metered = true) {
  exchange_plan plan(
      {.metered = metered, .method = "POST", .retries = retries, .breaker_enabled = true, .wait_until = start + 10min});
  plan.begin(true, 0s, start);
  if (metered) plan.released(start);
  plan.allowed(false, start);
  end.elsewhere = true;
  return plan.ended(end, start);
}

attempt_end answered(unsigned status) {
  return {.kind = kind::answered, .status = status, .sent = true};
}

}  // namespace

TEST(ExchangePlanMoves, AFailedProviderIsLeft) {
  EXPECT_EQ(after({.kind = kind::no_connection}).next, step::move);
  EXPECT_EQ(after({.kind = kind::no_connection, .certificate = true}).next, step::move);
  for (auto const k : {kind::broken, kind::unacceptable, kind::timeout})
    EXPECT_EQ(after({.kind = k, .sent = true}).next, step::move);
  for (unsigned const status : {500U, 502U, 503U, 504U}) {
    auto const s = after(answered(status));
    EXPECT_EQ(s.next, step::move) << status;
    EXPECT_EQ(s.verdict, verdict_on_provider::failing);
    EXPECT_FALSE(s.uncharged);
    EXPECT_FALSE(s.unsent);
  }
}

TEST(ExchangePlanMoves, SoIsOneThatRefusesOurKeyAndThatCostsNothing) {
  auto end = answered(401);
  EXPECT_EQ(after(end).next, step::relay) << "the key is the client's";
  end.key_refused = true;
  auto const s = after(end, 0);
  EXPECT_EQ(s.next, step::move);
  EXPECT_TRUE(s.uncharged);
  EXPECT_EQ(s.verdict, verdict_on_provider::well);
}

TEST(ExchangePlanMoves, WithoutRetriesNothingIsSentTwice) {
  EXPECT_EQ(after({.kind = kind::no_connection}, 0).next, step::move) << "nothing was sent";
  EXPECT_EQ(after({.kind = kind::timeout, .sent = true}, 0).next, step::reject);
  EXPECT_EQ(after({.kind = kind::broken, .sent = true}, 0).next, step::reject);
  EXPECT_EQ(after(answered(503), 0).next, step::relay);
}

TEST(ExchangePlanMoves, WhatIsNotTheProvidersFaultStays) {
  EXPECT_EQ(after({.kind = kind::no_connection, .local = true}).next, step::pause);
  EXPECT_EQ(after({.kind = kind::broken, .sent = true, .stale = true}).next, step::pause);
  for (unsigned const status : {200U, 400U, 422U}) EXPECT_EQ(after(answered(status)).next, step::relay) << status;
  EXPECT_EQ(after(answered(429)).next, step::ask_about_429);
  EXPECT_EQ(after({.kind = kind::interrupted}).next, step::hang_up);
  EXPECT_EQ(after({.kind = kind::superseded}).next, step::wait_for_breaker);
}

TEST(ExchangePlanMoves, UnmeteredRequestsStay) {
  EXPECT_EQ(after(answered(503), 2, false).next, step::relay);
  EXPECT_EQ(after({.kind = kind::timeout, .sent = true}, 2, false).next, step::reject);
}

TEST(ExchangePlanMoves, TheNewReleaseIsTheOneThatCounts) {
  exchange_plan plan({.metered = true, .method = "POST", .retries = 2, .wait_until = start + 10min});
  plan.begin(true, 0s, start);
  plan.released(start);
  plan.allowed(false, start);
  auto end = answered(503);
  end.elsewhere = true;
  EXPECT_EQ(plan.ended(end, start + 1s).next, step::move);
  EXPECT_EQ(plan.released(start + 1s).next, step::wait_for_breaker);
  EXPECT_EQ(plan.allowed(false, start + 1s).next, step::attempt) << "not released anew";
  EXPECT_TRUE(plan.client_left().unsent) << "nothing has been sent there";
}
