// The end of an exchange whose attempt has failed: the client's answer and its Retry-After.
#include <optional>

#include <gtest/gtest.h>

#include "cooldown/exchange/exchange_plan.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using step = exchange_step::what;
using end_kind = attempt_end::what;

constexpr time_point start{1000h};

exchange_facts facts(bool metered, unsigned retries = 0) {
  return {.metered = metered,
          .method = metered ? "POST" : "GET",
          .retries = retries,
          .breaker_enabled = true,
          .wait_until = metered ? start + 10min : start};
}

/// A plan whose first attempt is under way.
exchange_plan attempting(const exchange_facts& f, bool trial = false) {
  exchange_plan plan(f);
  auto next = plan.begin(true, 0s, start);
  if (next.next == step::submit) next = plan.released(start);
  EXPECT_EQ(next.next, step::wait_for_breaker);
  EXPECT_EQ(plan.allowed(trial, start).next, step::attempt);
  return plan;
}

attempt_end end_of(end_kind kind) {
  attempt_end end;
  end.kind = kind;
  end.sent = kind != end_kind::no_connection && kind != end_kind::not_for_it;
  return end;
}

struct told {
  attempt_end end;
  reason why;
  std::optional<duration> retry_after;
};

TEST(ExchangePlanEnds, TheClientIsToldWhyAndWhenToComeAgain) {
  auto local = end_of(end_kind::no_connection);
  local.local = true;
  auto certificate = end_of(end_kind::no_connection);
  certificate.certificate = true;
  told const all[] = {
      {end_of(end_kind::no_connection), reason::upstream_unavailable, 1s},
      {end_of(end_kind::broken), reason::upstream_unavailable, 1s},
      {local, reason::local_failure, 1s},
      {end_of(end_kind::not_for_it), reason::provider_changed, 1s},
      {certificate, reason::upstream_tls_error, std::nullopt},
      {end_of(end_kind::unacceptable), reason::upstream_protocol_error, std::nullopt},
      {end_of(end_kind::timeout), reason::upstream_timeout, std::nullopt},
  };
  for (bool const metered : {true, false}) {
    for (auto const& t : all) {
      auto plan = attempting(facts(metered));
      auto const last = plan.ended(t.end, start + 1s);
      EXPECT_EQ(last.next, step::reject);
      EXPECT_EQ(last.why, t.why) << text_of(t.why).code;
      EXPECT_EQ(last.retry_after, t.retry_after) << text_of(t.why).code;
      EXPECT_EQ(last.unsent, !t.end.sent) << text_of(t.why).code;
    }
  }
}

TEST(ExchangePlanEnds, WhatWasSentOnceStaysSent) {
  auto plan = attempting(facts(true, 1));
  ASSERT_EQ(plan.ended(end_of(end_kind::broken), start).next, step::pause);
  plan.paused(start + 250ms);
  plan.allowed(false, start + 250ms);
  auto const last = plan.ended(end_of(end_kind::unacceptable), start + 300ms);
  ASSERT_EQ(last.next, step::reject);
  EXPECT_FALSE(last.unsent);

  auto another = attempting(facts(true, 1));
  another.ended(end_of(end_kind::broken), start);
  another.paused(start + 250ms);
  another.allowed(false, start + 250ms);
  auto const nobody = another.ended(end_of(end_kind::no_connection), start + 300ms);
  ASSERT_EQ(nobody.next, step::reject);
  EXPECT_FALSE(nobody.unsent);
}

TEST(ExchangePlanEnds, OnlyACompletionThatMeetsNobodyOnTrialWaitsOn) {
  auto const after = [](bool metered, const attempt_end& end) {
    auto plan = attempting(facts(metered), true);
    return plan.ended(end, start).next;
  };
  auto nobody = end_of(end_kind::no_connection);
  EXPECT_EQ(after(true, nobody), step::wait_for_breaker);
  EXPECT_EQ(after(false, nobody), step::reject);
  EXPECT_EQ(after(true, end_of(end_kind::broken)), step::reject);
  nobody.local = true;
  EXPECT_EQ(after(true, nobody), step::reject);
  nobody.local = false;
  nobody.certificate = true;
  EXPECT_EQ(after(true, nobody), step::reject);
}

TEST(ExchangePlanEnds, WaitingForSomebodyToBeThereIsNoRepeat) {
  exchange_plan plan(facts(true, 1));
  plan.begin(true, 0s, start);
  plan.queued();
  plan.released(start);
  plan.allowed(false, start);
  for (int i = 0; i < 5; ++i) {
    auto const next = plan.ended(end_of(end_kind::no_connection), start + 1s);
    ASSERT_EQ(next.next, step::pause);
    EXPECT_EQ(next.pause, 100ms);
    EXPECT_FALSE(next.repeat);
    EXPECT_EQ(plan.paused(start + 1s).next, step::wait_for_breaker);
    plan.allowed(false, start + 1s);
  }
  EXPECT_EQ(plan.repeats(), 0U);
  EXPECT_TRUE(plan.ended(end_of(end_kind::broken), start + 1s).repeat);
}

TEST(ExchangePlanEnds, AReleaseHoldsForAQuarterOfASecond) {
  for (auto const age : {250ms, 251ms}) {
    exchange_plan plan(facts(true));
    plan.begin(true, 0s, start);
    plan.released(start);
    EXPECT_EQ(plan.allowed(false, start + age).next, age > 250ms ? step::renew : step::attempt);
  }
}

TEST(ExchangePlanEnds, WhatTheReleaseHasSentIsKnownWhenItIsRenewed) {
  auto plan = attempting(facts(true, 2));
  ASSERT_EQ(plan.ended(end_of(end_kind::broken), start).next, step::pause);
  plan.paused(start + 100ms);
  plan.allowed(false, start + 100ms);
  ASSERT_EQ(plan.ended(end_of(end_kind::no_connection), start + 100ms).next, step::pause);
  plan.paused(start + 1s);
  auto const renewal = plan.allowed(false, start + 1s);
  EXPECT_EQ(renewal.next, step::renew);
  EXPECT_FALSE(renewal.unsent) << "by the first of its attempts";
}

TEST(ExchangePlanEnds, EachEndHasAWordForMetrics) {
  EXPECT_STREQ(name_of(end_kind::no_connection), "connect");
  EXPECT_STREQ(name_of(end_kind::broken), "broken");
  EXPECT_STREQ(name_of(end_kind::unacceptable), "protocol");
  EXPECT_STREQ(name_of(end_kind::timeout), "timeout");
  EXPECT_STREQ(name_of(end_kind::answered), "status");
}

TEST(ExchangePlanEnds, AJudged429IsPassedOnIfItIsWhole) {
  EXPECT_EQ(exchange_plan::pass_429(true, 5s).next, step::relay);
  for (auto const& asked : {std::optional<duration>(5s), std::optional<duration>()}) {
    auto const cut = exchange_plan::pass_429(false, asked);
    EXPECT_EQ(cut.next, step::reject);
    EXPECT_EQ(cut.why, reason::upstream_unavailable);
    EXPECT_EQ(cut.retry_after, asked.value_or(1s));
    EXPECT_FALSE(cut.unsent) << "the limiter has been told";
    EXPECT_FALSE(cut.uncharged);
  }
}

}  // namespace
}  // namespace cooldown
