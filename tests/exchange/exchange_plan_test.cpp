#include "cooldown/exchange/exchange_plan.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using step = exchange_step::what;
using end_kind = attempt_end::what;

constexpr time_point start{1000h};

exchange_facts completion() {
  return {.metered = true, .method = "POST", .retries = 2, .breaker_enabled = true, .wait_until = start + 10min};
}

exchange_facts unmetered(std::string_view method) {
  auto f = completion();
  f.metered = false;
  f.method = method;
  f.wait_until = start;
  return f;
}

attempt_end answered(unsigned status) {
  return {.kind = end_kind::answered, .status = status, .sent = true};
}
attempt_end broken() {
  return {.kind = end_kind::broken, .sent = true};
}
attempt_end no_connection() {
  return {.kind = end_kind::no_connection};
}
attempt_end stale(duration rested) {
  return {.kind = end_kind::broken, .sent = true, .stale = true, .rested = rested};
}

/// A plan whose first attempt is under way.
exchange_plan attempting(const exchange_facts& facts, bool trial = false) {
  exchange_plan plan(facts);
  if (facts.metered) {
    EXPECT_EQ(plan.begin(true, 0s, start).next, step::submit);
    EXPECT_EQ(plan.released(start).next, step::wait_for_breaker);
  } else {
    EXPECT_EQ(plan.begin(true, 0s, start).next, step::wait_for_breaker);
  }
  EXPECT_EQ(plan.allowed(trial, start).next, step::attempt);
  return plan;
}

TEST(ExchangePlan, ACompletionAsksTheLimiterThenTheBreakerThenTheProvider) {
  exchange_plan plan(completion());
  EXPECT_EQ(plan.begin(true, 0s, start).next, step::submit);
  EXPECT_EQ(plan.queued().next, step::wait_for_quota);
  EXPECT_EQ(plan.released(start + 5s).next, step::wait_for_breaker);
  auto const first = plan.allowed(false, start + 5s);
  EXPECT_EQ(first.next, step::attempt);
  EXPECT_FALSE(first.fresh);
  auto const done = plan.ended(answered(200), start + 6s);
  EXPECT_EQ(done.next, step::relay);
  EXPECT_EQ(done.verdict, verdict_on_provider::well);
}

TEST(ExchangePlan, WhoComesWhileTheBreakerIsOpenIsRejectedAtOnce) {
  exchange_plan plan(completion());
  auto const s = plan.begin(false, 40s, start);
  EXPECT_EQ(s.next, step::reject);
  EXPECT_EQ(s.why, reason::circuit_open);
  EXPECT_EQ(s.retry_after, 40s);
  EXPECT_TRUE(s.unsent);
}

TEST(ExchangePlan, WhatCostsNoTokensAsksNoLimiter) {
  exchange_plan plan(unmetered("GET"));
  EXPECT_EQ(plan.begin(false, 40s, start).next, step::wait_for_breaker);
  EXPECT_EQ(plan.breaker_stayed_open(40s).why, reason::circuit_open);
}

TEST(ExchangePlan, AnOldReleaseIsRenewedBeforeItIsSentBy) {
  exchange_plan plan(completion());
  plan.begin(true, 0s, start);
  plan.released(start);
  EXPECT_EQ(plan.allowed(false, start + 30s).next, step::renew);
  EXPECT_EQ(plan.queued().next, step::wait_for_quota);
  EXPECT_EQ(plan.released(start + 40s).next, step::wait_for_breaker);
  EXPECT_EQ(plan.allowed(false, start + 40s).next, step::attempt);
}

TEST(ExchangePlan, ARenewedReleaseIsNoWaitAndGoesOnDuringShutdown) {
  auto facts = completion();
  facts.retries = 1;
  auto plan = attempting(facts);
  plan.ended(no_connection(), start);
  plan.paused(start + 1s);
  ASSERT_EQ(plan.allowed(false, start + 1s).next, step::renew);
  EXPECT_TRUE(plan.queued().in_progress);
  plan.released(start + 1s);
  plan.allowed(false, start + 1s);
  EXPECT_EQ(plan.ended(no_connection(), start + 1s).next, step::reject);
  exchange_plan newcomer(facts);
  newcomer.begin(true, 0s, start);
  EXPECT_FALSE(newcomer.queued().in_progress);
}

TEST(ExchangePlan, BeyondItsTimeInTheQueueARepeatGoesByTheOldRelease) {
  auto facts = completion();
  facts.wait_until = start;
  auto plan = attempting(facts);
  plan.ended(answered(503), start + 3s);
  plan.paused(start + 4s);
  EXPECT_EQ(plan.allowed(false, start + 4s).next, step::attempt);
}

TEST(ExchangePlan, AShortWaitForTheBreakerNeedsNoNewRelease) {
  exchange_plan plan(completion());
  plan.begin(true, 0s, start);
  plan.released(start);
  EXPECT_EQ(plan.allowed(false, start + 200ms).next, step::attempt);
}

TEST(ExchangePlan, ARepeatIsReleasedAnew) {
  auto plan = attempting(completion());
  auto const s = plan.ended(answered(503), start + 1s);
  EXPECT_EQ(s.next, step::pause);
  EXPECT_TRUE(s.repeat);
  EXPECT_EQ(plan.paused(start + 2s).next, step::wait_for_breaker);
  EXPECT_EQ(plan.allowed(false, start + 2s).next, step::renew);
  plan.released(start + 2s);
  auto const again = plan.allowed(false, start + 2s);
  EXPECT_EQ(again.next, step::attempt);
  EXPECT_TRUE(again.fresh);
}

TEST(ExchangePlan, ARenewalTellsWhetherTheLastReleaseWasSent) {
  auto plan = attempting(completion());
  plan.ended(answered(503), start + 1s);
  plan.paused(start + 2s);
  EXPECT_FALSE(plan.allowed(false, start + 2s).unsent);
  plan.released(start + 3s);
  EXPECT_TRUE(plan.allowed(false, start + 9s).unsent) << "the one before has been told";
}

TEST(ExchangePlan, WhatIsGivenUpAfterARenewalHasCostNothingSince) {
  auto plan = attempting(completion());
  plan.ended(answered(503), start + 1s);
  plan.paused(start + 2s);
  ASSERT_EQ(plan.allowed(false, start + 2s).next, step::renew);
  plan.released(start + 3s);
  EXPECT_TRUE(plan.client_left().unsent) << "what the first attempt may have cost has been told with the renewal";
  EXPECT_TRUE(plan.draining().unsent);
  EXPECT_TRUE(plan.breaker_stayed_open(1s).unsent);
}

TEST(ExchangePlan, OnlyWhatWasReleasedIsRenewed) {
  auto facts = unmetered("GET");
  facts.wait_until = start + 10min;
  exchange_plan plan(facts);
  ASSERT_EQ(plan.begin(true, 0s, start).next, step::wait_for_breaker);
  EXPECT_EQ(plan.allowed(false, start + 9s).next, step::attempt);
}

TEST(ExchangePlan, AQuotaRefusalIsTheLimitersToJudge) {
  auto plan = attempting(completion());
  auto const s = plan.ended(answered(429), start);
  EXPECT_EQ(s.next, step::ask_about_429);
  EXPECT_EQ(s.verdict, verdict_on_provider::well);
  EXPECT_EQ(plan.queued().next, step::wait_for_quota);
  auto other = attempting(unmetered("POST"));
  EXPECT_EQ(other.ended(answered(429), start).next, step::relay);
}

/// What follows an attempt of a request that has not waited: step, reason, verdict.
struct law {
  std::string name;
  exchange_facts facts;
  attempt_end end;
  step next;
  reason why = reason::internal_error;
  verdict_on_provider verdict = verdict_on_provider::none;
};

attempt_end with(attempt_end e, void (*change)(attempt_end&)) {
  change(e);
  return e;
}

std::vector<law> laws() {
  auto const once = [] {
    auto f = completion();
    f.retries = 0;
    return f;
  }();
  auto const certificate = with(no_connection(), [](attempt_end& e) { e.certificate = true; });
  auto const local_connect = with(no_connection(), [](attempt_end& e) { e.local = true; });
  auto const local_break = with(broken(), [](attempt_end& e) { e.local = true; });
  auto const asks_long = with(answered(503), [](attempt_end& e) { e.retry_after = 60s; });
  attempt_end const odd{.kind = end_kind::unacceptable, .sent = true};
  attempt_end const late{.kind = end_kind::timeout, .sent = true};
  attempt_end const gone{.kind = end_kind::interrupted};
  attempt_end const other{.kind = end_kind::not_for_it};
  attempt_end const overtaken{.kind = end_kind::superseded};
  auto const crossing = with(answered(408), [](attempt_end& e) { e.stale = true; });
  auto const just_used = with(crossing, [](attempt_end& e) { e.rested = 10ms; });
  using v = verdict_on_provider;
  return {
      {"200", completion(), answered(200), step::relay, {}, v::well},
      {"400 is the client's doing", completion(), answered(400), step::relay, {}, v::well},
      {"500 may have been charged", completion(), answered(500), step::relay, {}, v::failing},
      {"501 is about the request", completion(), answered(501), step::relay, {}, v::well},
      {"502 is repeated", completion(), answered(502), step::pause, {}, v::failing},
      {"503 is repeated", completion(), answered(503), step::pause, {}, v::failing},
      {"504 is repeated", completion(), answered(504), step::pause, {}, v::failing},
      {"503 without retries", once, answered(503), step::relay, {}, v::failing},
      {"503 that asks for a minute", completion(), asks_long, step::relay, {}, v::failing},
      {"503 to a GET", unmetered("GET"), answered(503), step::relay, {}, v::none},
      {"nobody there", completion(), no_connection(), step::pause, {}, v::failing},
      {"nobody there, no retries", once, no_connection(), step::reject, reason::upstream_unavailable, v::failing},
      {"certificate", completion(), certificate, step::reject, reason::upstream_tls_error, v::failing},
      {"no descriptor", completion(), local_connect, step::pause, {}, v::none},
      {"no descriptor, no retries", once, local_connect, step::reject, reason::local_failure, v::none},
      {"broken", completion(), broken(), step::pause, {}, v::failing},
      {"broken, no retries", once, broken(), step::reject, reason::upstream_unavailable, v::failing},
      {"broken by this machine", once, local_break, step::reject, reason::local_failure, v::none},
      {"another POST that may have arrived", unmetered("POST"), broken(), step::reject, reason::upstream_unavailable},
      {"another POST that was not sent", unmetered("POST"), no_connection(), step::pause, {}, v::failing},
      {"a GET", unmetered("GET"), broken(), step::pause},
      {"not HTTP, no retries", once, odd, step::reject, reason::upstream_protocol_error, v::failing},
      {"timeout", completion(), late, step::reject, reason::upstream_timeout, v::failing},
      {"a GET's timeout", unmetered("GET"), late, step::reject, reason::upstream_timeout},
      {"stale", completion(), stale(1h), step::pause},
      {"stale, no retries", once, stale(1h), step::pause},
      {"stale but just used, no retries", once, stale(10ms), step::reject, reason::upstream_unavailable},
      {"stale, another POST", unmetered("POST"), stale(1h), step::reject, reason::upstream_unavailable},
      {"client gone", completion(), gone, step::hang_up},
      {"another provider", completion(), other, step::reject, reason::provider_changed},
      {"a reload has come in between", completion(), overtaken, step::wait_for_breaker},
      {"the same, another POST", unmetered("POST"), overtaken, step::wait_for_breaker},
      {"408", completion(), answered(408), step::relay, {}, v::well},
      {"408 that crossed the request", completion(), crossing, step::pause},
      {"408 that crossed another POST", unmetered("POST"), crossing, step::relay},
      {"408 on a connection just used, no retries", once, just_used, step::relay},
  };
}

TEST(ExchangePlan, WhatFollowsAnAttempt) {
  for (auto const& l : laws()) {
    auto plan = attempting(l.facts);
    auto const s = plan.ended(l.end, start + 1s);
    EXPECT_EQ(s.next, l.next) << l.name;
    if (s.next == step::reject) {
      EXPECT_EQ(s.why, l.why) << l.name;
    }
    EXPECT_EQ(s.verdict, l.verdict) << l.name;
  }
}

TEST(ExchangePlan, WhatWasNeverSentCostsNothing) {
  EXPECT_TRUE(attempting(completion()).ended({.kind = end_kind::interrupted}, start).unsent);
  EXPECT_TRUE(attempting(completion()).ended({.kind = end_kind::not_for_it}, start).unsent);
  EXPECT_FALSE(attempting(completion()).ended({.kind = end_kind::timeout, .sent = true}, start).unsent);
  auto plan = attempting(completion());
  plan.ended(broken(), start);
  EXPECT_FALSE(plan.client_left().unsent);
}

TEST(ExchangePlan, RepeatsAreCountedAndPausesGrow) {
  auto plan = attempting(completion());
  auto const first = plan.ended(answered(503), start);
  auto const second = plan.ended(broken(), start);
  EXPECT_GT(second.pause, first.pause);
  EXPECT_EQ(plan.repeats(), 2U);
  EXPECT_EQ(plan.ended(answered(503), start).next, step::relay);
}

TEST(ExchangePlan, AStaleConnectionIsNoRepeatAndTheNextIsNew) {
  auto plan = attempting(completion());
  auto const s = plan.ended(stale(1h), start);
  EXPECT_FALSE(s.repeat);
  EXPECT_EQ(s.pause, 0s);
  EXPECT_EQ(plan.repeats(), 0U);
  plan.paused(start);
  EXPECT_TRUE(plan.allowed(false, start).fresh);
}

TEST(ExchangePlan, ATrialThatFindsNobodyWaitsOn) {
  auto plan = attempting(completion(), true);
  auto const s = plan.ended(no_connection(), start);
  EXPECT_EQ(s.next, step::wait_for_breaker);
  EXPECT_EQ(s.verdict, verdict_on_provider::failing);
  EXPECT_EQ(plan.repeats(), 0U);
}

TEST(ExchangePlan, WhoHasQueuedWaitsForAProviderThatIsAway) {
  auto facts = completion();
  facts.retries = 0;
  exchange_plan plan(facts);
  plan.begin(true, 0s, start);
  plan.queued();
  plan.released(start + 1min);
  plan.allowed(false, start + 1min);
  auto const s = plan.ended(no_connection(), start + 1min);
  EXPECT_EQ(s.next, step::pause);
  EXPECT_FALSE(s.repeat);
  EXPECT_EQ(plan.ended(no_connection(), facts.wait_until).next, step::reject);  // its time is over
  facts.breaker_enabled = false;
  exchange_plan without(facts);
  without.begin(true, 0s, start);
  without.queued();
  without.released(start + 1min);
  without.allowed(false, start + 1min);
  EXPECT_EQ(without.ended(no_connection(), start + 1min).next, step::reject);
}

TEST(ExchangePlan, AWaitForTheBreakerIsAWaitToo) {
  auto facts = completion();
  facts.retries = 0;
  exchange_plan plan(facts);
  plan.begin(true, 0s, start);
  plan.released(start);
  plan.allowed(false, start + 100ms);
  EXPECT_EQ(plan.ended(no_connection(), start + 1s).next, step::pause);
}

TEST(ExchangePlan, ShutdownIsToldToWhoWaits) {
  exchange_plan plan(completion());
  plan.begin(true, 0s, start);
  plan.queued();
  auto const s = plan.draining();
  EXPECT_EQ(s.why, reason::draining);
  EXPECT_EQ(s.retry_after, 5s);
  EXPECT_TRUE(s.unsent);
}

}  // namespace
}  // namespace cooldown
