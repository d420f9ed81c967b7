// Tickets: order, bounds, refusals by the provider, and their ends.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

ticket_facts costing(double tokens, const scope_name& in = scope) {
  ticket_facts t;
  t.scope = in;
  t.size.max_output_tokens = static_cast<std::uint64_t>(tokens) - 8;
  return t;
}

/// Headers of an account of 60,000 tokens a minute without resets.
class plain_headers {
 public:
  explicit plain_headers(int remaining) : text_(std::to_string(remaining)) { fields_[1].value = text_; }
  header_view view() const { return fields_; }

 private:
  std::string text_;
  header_field fields_[2] = {{"x-ratelimit-limit-tokens-minute", "60000"}, {"x-ratelimit-remaining-tokens-minute", ""}};
};

limiter_settings generous() {
  limiter_settings s;
  s.quota.rpm_limit = 1e6;
  s.quota.tpm_limit = 1e9;
  s.quota.replenishment = refill::continuous;  // how that is learned is another test's business
  return s;
}

/// A limiter that knows by headers that `remaining` tokens are left.
class CerebrasLimiterQueue : public ::testing::Test {
 protected:
  void know(int remaining, time_point now = start) {
    plain_headers const h(remaining);
    limiter.update_from_headers(scope, h.view(), now, wall);
  }
  ticket_id send(double tokens, time_point now = start) {
    return std::get<go>(limiter.submit(costing(tokens), now)).id;
  }
  ticket_id wait(double tokens, time_point now = start) {
    return std::get<queued>(limiter.submit(costing(tokens), now)).id;
  }
  observation refuse(ticket_id id, time_point now, const char* code = "token_quota_exceeded",
                     std::vector<header_field> fields = {{"retry-after", "60"}}) {
    return limiter.observe(id, {.status = 429, .headers = fields, .error = {.message = "", .type = "", .code = code}},
                           now, wall);
  }
  std::vector<ticket_id> released(time_point now) {
    std::vector<ticket_id> ids;
    for (auto const& e : limiter.poll(now))
      if (!e.refusal) ids.push_back(e.id);
    return ids;
  }
  void expect_idle() {
    EXPECT_EQ(limiter.queue_length(), 0U);
    EXPECT_EQ(limiter.queued_bytes(), 0U);
    EXPECT_EQ(limiter.in_flight(), 0U);
    EXPECT_FALSE(limiter.next_deadline(start + 24h));
  }

  cerebras_limiter limiter{generous()};
};

TEST_F(CerebrasLimiterQueue, TicketsGoInTheOrderOfTheirArrival) {
  know(0);
  auto const a = wait(1000);
  auto const b = wait(1000);
  auto const c = wait(1000);
  EXPECT_EQ(released(start + 10s), (std::vector<ticket_id>{a, b, c}));
}

TEST_F(CerebrasLimiterQueue, NobodyOvertakesTheHead) {
  know(500);
  auto const large = wait(10'000);
  auto const small = wait(100);
  EXPECT_TRUE(released(start + 1s).empty());
  EXPECT_EQ(released(start + 11s), (std::vector<ticket_id>{large, small}));
}

TEST_F(CerebrasLimiterQueue, APlaceIsFreedAtOnceWhenItsClientLeaves) {
  know(0);
  auto const first = wait(30'000);
  auto const second = wait(1000);
  limiter.leave(first, start + 1s);
  EXPECT_EQ(limiter.queue_length(), 1U);
  EXPECT_EQ(released(start + 1100ms), (std::vector<ticket_id>{second}));
  limiter.leave(first, start + 2s);  // unknown by now: nothing happens
  limiter.settle(second, 10, std::nullopt, start + 2s);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, DepthBytesAndTimeAreBounded) {
  auto settings = generous();
  settings.max_depth = 2;
  settings.max_bytes = 100;
  limiter.configure(settings, start);
  know(1000);
  for (int i = 0; i < 5; ++i) limiter.settle(send(10), 10, std::nullopt, start);  // what is reserved is used
  know(0);
  auto facts = costing(1000);
  facts.body_bytes = 60;
  ASSERT_TRUE(std::holds_alternative<queued>(limiter.submit(facts, start)));
  auto const by_bytes = limiter.submit(facts, start);
  ASSERT_TRUE(std::holds_alternative<refused>(by_bytes));
  EXPECT_EQ(std::get<refused>(by_bytes).why, reason::queue_full);
  facts.body_bytes = 1;
  ASSERT_TRUE(std::holds_alternative<queued>(limiter.submit(facts, start)));
  auto const by_depth = limiter.submit(facts, start);
  EXPECT_EQ(std::get<refused>(by_depth).why, reason::queue_full);
  EXPECT_TRUE(std::get<refused>(by_depth).retry_after);
  facts.max_wait = 500ms;
  auto const by_time = limiter.submit(facts, start);
  ASSERT_TRUE(std::holds_alternative<refused>(by_time));
  EXPECT_EQ(std::get<refused>(by_time).why, reason::queue_timeout);
  // The truth: two are ahead, so three thousand tokens at a thousand a second.
  EXPECT_GE(*std::get<refused>(by_time).retry_after, 3s);
  EXPECT_LE(*std::get<refused>(by_time).retry_after, 3100ms);
}

TEST_F(CerebrasLimiterQueue, WhatIsAheadRefusesNobodyUntilItsRealUseIsKnown) {
  know(0);
  for (int i = 0; i < 20; ++i) wait(10'000);
  auto facts = costing(1000);
  facts.max_wait = 60s;  // 200,000 tokens are ahead: 200 seconds if they are all used
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(facts, start)));
  facts = costing(50'000);
  facts.max_wait = 10s;  // but alone it would take 50
  EXPECT_TRUE(std::holds_alternative<refused>(limiter.submit(facts, start)));
}

TEST_F(CerebrasLimiterQueue, ZeroPatienceMeansNowOrNotAtAll) {
  know(1000);
  auto facts = costing(900);
  facts.max_wait = 0s;
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(facts, start)));
  auto const second = limiter.submit(facts, start);
  ASSERT_TRUE(std::holds_alternative<refused>(second));
  EXPECT_EQ(std::get<refused>(second).why, reason::queue_timeout);
  EXPECT_EQ(limiter.queue_length(), 0U);
}

TEST_F(CerebrasLimiterQueue, WhoWaitsTooLongIsRefusedThen) {
  know(0);
  auto const patient = wait(5000);
  auto facts = costing(1000);
  facts.max_wait = 6100ms;
  auto const hasty = std::get<queued>(limiter.submit(facts, start)).id;
  // A foreign consumer takes everything meanwhile.
  know(0, start + 5s);
  EXPECT_TRUE(limiter.poll(start + 6s).empty());
  auto const events = limiter.poll(start + 6100ms);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, hasty);
  ASSERT_TRUE(events[0].refusal);
  EXPECT_EQ(events[0].refusal->why, reason::queue_timeout);
  EXPECT_GT(*events[0].refusal->retry_after, 0s);
  limiter.leave(patient, start + 7s);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, WhatCanNeverFitIsRefusedAtOnceWithTheRealLimit) {
  know(60'000);
  auto const decided = limiter.submit(costing(70'000), start);
  // 70,000 may be charged as 16,384: accounts have been seen to do so. One probe finds out.
  ASSERT_TRUE(std::holds_alternative<go>(decided));
  auto const seen = refuse(std::get<go>(decided).id, start + 10ms);
  EXPECT_EQ(seen.what, verdict::refuse);
  ASSERT_TRUE(seen.refusal);
  EXPECT_EQ(seen.refusal->why, reason::request_too_large_for_limit);
  EXPECT_EQ(seen.refusal->limit, 60'000);
  limiter.settle(std::get<go>(decided).id, 0, std::nullopt, start + 10ms);
  auto const again = limiter.submit(costing(70'000), start + 1s);
  ASSERT_TRUE(std::holds_alternative<refused>(again));
  EXPECT_EQ(std::get<refused>(again).why, reason::request_too_large_for_limit);
  EXPECT_FALSE(std::get<refused>(again).retry_after);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, AnInputBeyondTheLimitNeedsNoProbe) {
  know(60'000);
  ticket_facts facts = costing(100);
  facts.size.input_chars = 1'000'000;
  auto const decided = limiter.submit(facts, start);
  ASSERT_TRUE(std::holds_alternative<refused>(decided));
  EXPECT_EQ(std::get<refused>(decided).why, reason::request_too_large_for_limit);
}

TEST_F(CerebrasLimiterQueue, TextsOfAnotherScriptMakeNoOtherTooLarge) {
  know(60'000);
  ticket_facts agent = costing(8'000);
  agent.size.input_chars = 80'000;  // 18,000 tokens, in truth
  auto const first = std::get<go>(limiter.submit(agent, start)).id;
  limiter.settle(first, 18'300, 18'000, start);
  know(60'000, start + 1min);
  ticket_facts chinese = costing(1'000);
  chinese.size.input_chars = 320;
  for (int i = 0; i < 2; ++i)
    limiter.settle(std::get<go>(limiter.submit(chinese, start + 1min)).id, 420, 320, start + 1min);
  know(60'000, start + 2min);
  auto const again = std::get<go>(limiter.submit(agent, start + 2min)).id;
  EXPECT_EQ(limiter.cost_of(again), 60'000) << "no more than the limit is reserved";
  plain_headers const h(34'000);
  limiter.observe(again, {.status = 200, .headers = h.view(), .error = {}}, start + 2min, wall);
  limiter.settle(again, 18'300, 18'000, start + 2min);
  EXPECT_NEAR(limiter.status(scope, start + 2min).remaining_tokens, 41'700, 100);  // 7,700 come back
}

TEST_F(CerebrasLimiterQueue, WhatMayBeTooLargeIsJudgedByTheProviderOnce) {
  know(60'000);
  ticket_facts pictures = costing(100);
  pictures.size.images = 80;  // 80,000 tokens at the most
  auto const id = std::get<go>(limiter.submit(pictures, start)).id;
  auto const seen = refuse(id, start + 10ms);
  EXPECT_EQ(seen.what, verdict::refuse);
  ASSERT_TRUE(seen.refusal);
  EXPECT_EQ(seen.refusal->why, reason::request_too_large_for_limit);
  EXPECT_GT(seen.refusal->cost, seen.refusal->limit);
  limiter.settle(id, 0, std::nullopt, start + 10ms);
  // It says nothing of maxima: whether those are charged whole is still to be found out.
  know(60'000, start + 1min);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(70'000), start + 1min)));
}

TEST_F(CerebrasLimiterQueue, WhatTurnsOutTooLargeWhileItWaitsIsNotSentForEver) {
  // Nothing is known yet: the first goes, the others wait for what it shows.
  auto settings = generous();
  settings.quota.tpm_limit = 1000;
  limiter.configure(settings, start);
  auto const first = std::get<go>(limiter.submit(costing(90'000), start)).id;
  auto const second = std::get<queued>(limiter.submit(costing(90'000), start)).id;
  plain_headers const h(59'000);
  limiter.observe(first, {.status = 200, .headers = h.view(), .error = {}}, start + 1s, wall);
  limiter.settle(first, 1'000, std::nullopt, start + 1s);
  auto now = start + 1s;
  while (released(now).empty()) now = *limiter.next_deadline(now);
  EXPECT_EQ(refuse(second, now).what, verdict::refuse);
}

TEST_F(CerebrasLimiterQueue, AGuessedStaticLimitRefusesNobody) {
  auto settings = generous();
  settings.quota.tpm_limit = 100;
  limiter.configure(settings, start);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(50'000), start)));
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(50'000), start)));
}

TEST_F(CerebrasLimiterQueue, AQuotaRefusalGoesBackToTheHead) {
  know(3000);
  auto const first = send(1000);
  auto const second = send(1000);
  auto const third = wait(5000);
  EXPECT_EQ(refuse(first, start + 10ms).what, verdict::queue_again);
  EXPECT_EQ(limiter.queue_length(), 2U);
  EXPECT_EQ(limiter.in_flight(), 1U);
  EXPECT_EQ(limiter.counters().upstream_refusals, 1U);
  // Not at once, but before those that came later; one at a time until it is admitted.
  EXPECT_TRUE(released(start + 20ms).empty());
  auto const then = released(start + 10s);
  ASSERT_EQ(then.size(), 1U);
  EXPECT_EQ(then[0], first);
  plain_headers const fine(20'000);
  limiter.observe(first, {.status = 200, .headers = fine.view(), .error = {}}, start + 10s, wall);
  EXPECT_EQ(released(start + 10s), (std::vector<ticket_id>{third}));
  for (auto const id : {first, second, third}) limiter.settle(id, 1000, std::nullopt, start + 11s);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, ARefusalWithAResetWaitsForIt) {
  know(60'000);
  auto const id = send(1000);
  auto const seen = refuse(id, start, "",
                           {{"x-ratelimit-limit-tokens-minute", "60000"},
                            {"x-ratelimit-remaining-tokens-minute", "0"},
                            {"x-ratelimit-reset-tokens-minute", "5"}});
  EXPECT_EQ(seen.what, verdict::queue_again);
  EXPECT_TRUE(released(start + 900ms).empty());
  EXPECT_EQ(released(start + 5100ms).size(), 1U);
}

TEST_F(CerebrasLimiterQueue, BeforeAnythingIsKnownRetryAfterIsTheProvidersWord) {
  auto const id = send(1000);
  EXPECT_EQ(refuse(id, start, "", {{"retry-after", "7"}}).what, verdict::queue_again);
  EXPECT_EQ(limiter.next_deadline(start), start + 7s);
  EXPECT_TRUE(released(start + 7s - 1ns).empty());
  EXPECT_EQ(released(start + 7s).size(), 1U);
}

TEST_F(CerebrasLimiterQueue, TheProvidersWordRefusesTheHastyAtOnce) {
  ASSERT_EQ(refuse(send(1000), start, "", {{"retry-after", "7"}}).what, verdict::queue_again);
  auto facts = costing(1000);
  facts.max_wait = 3s;
  auto const decided = limiter.submit(facts, start + 1s);
  ASSERT_TRUE(std::holds_alternative<refused>(decided));
  EXPECT_EQ(std::get<refused>(decided).retry_after, 6s);
}

TEST_F(CerebrasLimiterQueue, IncurableRefusalsPassAtOnce) {
  know(60'000);
  EXPECT_EQ(refuse(send(100), start, "insufficient_quota", {{"retry-after", "5"}}).what, verdict::pass);
  EXPECT_EQ(refuse(send(100), start, "token_quota_exceeded", {{"x-should-retry", "false"}}).what, verdict::pass);
}

TEST_F(CerebrasLimiterQueue, LoadWaitsWhateverTheProviderThinksOfRetrying) {
  know(60'000);
  auto const id = send(100);
  EXPECT_EQ(refuse(id, start, "queue_exceeded", {{"x-should-retry", "false"}}).what, verdict::queue_again);
  EXPECT_EQ(released(start + 10s), (std::vector<ticket_id>{id}));
  limiter.observe(id, {.status = 200, .headers = {}, .error = {}}, start + 11s, wall);
  // Where nothing says that it is load, the header decides.
  EXPECT_EQ(refuse(send(100, start + 11s), start + 12s, "", {{"x-should-retry", "false"}}).what, verdict::pass);
}

TEST_F(CerebrasLimiterQueue, ARefusalBeyondPatiencePassesOn) {
  auto facts = costing(1000);
  facts.max_wait = 5s;
  auto const id = std::get<go>(limiter.submit(facts, start)).id;
  EXPECT_EQ(refuse(id, start, "", {{"retry-after", "3600"}}).what, verdict::pass);
}

TEST_F(CerebrasLimiterQueue, SettlingReturnsWhatWasNotUsed) {
  know(10'000);
  auto const id = send(9000);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 1000);
  limiter.settle(id, 2000, std::nullopt, start);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 8000);
}

TEST_F(CerebrasLimiterQueue, WhatNeverWentOutIsReturnedWhole) {
  know(10'000);
  limiter.not_sent(send(9000), start);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 10'000);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, AMissingUsageKeepsTheReservationUntilTheNextHeader) {
  know(10'000);
  limiter.settle(send(9000), std::nullopt, std::nullopt, start);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 1000);
  know(9500, start + 1s);
  EXPECT_EQ(limiter.status(scope, start + 1s).remaining_tokens, 9500);
}

TEST_F(CerebrasLimiterQueue, AStoppedStreamKeepsWhatWasRelayedOfItAndALittleMore) {
  know(60'000);
  auto const id = send(50'000);
  plain_headers const h(10'000);
  limiter.observe(id, {.status = 200, .headers = h.view(), .error = {}}, start, wall);
  auto const next = wait(32'000);
  limiter.leave(id, start + 1s, 2'000);
  auto const left = limiter.status(scope, start + 1s).remaining_tokens;  // a thousand have come in
  EXPECT_LE(left, 61'000 - 2'000);
  EXPECT_GE(left, 61'000 - 3'000);
  EXPECT_EQ(released(start + 1s), (std::vector<ticket_id>{next}));
}

TEST_F(CerebrasLimiterQueue, WhatWasStoppedOrHadNoUsageIsTakenForWhatItsLikeUse) {
  know(60'000);
  for (int i = 0; i < 5; ++i) limiter.settle(send(1'000), 250, std::nullopt, start);
  for (auto const now : {start + 1min, start + 2min}) {
    auto const id = send(40'000, now);
    if (now == start + 1min) {
      limiter.leave(id, now);  // before any answer
    } else {
      limiter.settle(id, std::nullopt, std::nullopt, now);
    }
    EXPECT_NEAR(limiter.status(scope, now).remaining_tokens, 50'000, 100);
  }
}

TEST_F(CerebrasLimiterQueue, MoreThanWasReservedIsNotTakenForWhatAStoppedStreamUsed) {
  know(60'000);
  limiter.leave(send(1'000), start, 1'000'000'000);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 59'000);
}

TEST_F(CerebrasLimiterQueue, StoppedStreamsDoNotUseUpADay) {
  auto settings = generous();
  settings.quota.replenishment.reset();
  limiter.configure(settings, start);
  header_field const fields[] = {{"x-ratelimit-limit-tokens-day", "1000000"},
                                 {"x-ratelimit-remaining-tokens-day", "99000"},
                                 {"x-ratelimit-reset-tokens-day", "43200"},
                                 {"x-ratelimit-limit-tokens-minute", "1000000"},
                                 {"x-ratelimit-remaining-tokens-minute", "1000000"}};
  limiter.update_from_headers(scope, fields, start, wall);
  for (int i = 0; i < 30; ++i) {
    auto const d = limiter.submit(costing(16'000), start + i * 1s);
    ASSERT_TRUE(std::holds_alternative<go>(d)) << i;
    limiter.leave(std::get<go>(d).id, start + i * 1s + 900ms, 400);
  }
}

/// An account of 12,000 tokens a minute that reserves 3,000 for a request without a maximum.
class ColdStart : public CerebrasLimiterQueue {
 protected:
  ticket_id submit(time_point now = start) {
    ticket_facts t;
    t.scope = scope;
    auto const d = limiter.submit(t, now);
    auto const* const yes = std::get_if<go>(&d);
    return yes ? yes->id : std::get<queued>(d).id;
  }
  void answer(ticket_id id, int remaining, time_point now) {
    auto const left = std::to_string(remaining);
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "12000"},
                                   {"x-ratelimit-remaining-tokens-minute", left}};
    limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
  }
  double left(time_point now) { return limiter.status(scope, now).remaining_tokens; }
};

TEST_F(ColdStart, WhatAHeaderHasShownOfAChargeIsNotGivenBackAgain) {
  auto const id = submit();
  answer(id, 9'000, start + 1ms);
  EXPECT_EQ(limiter.cost_of(id), 3'000);
  limiter.settle(id, 1'000, std::nullopt, start + 2ms);
  EXPECT_NEAR(left(start + 2ms), 11'000, 10);
}

TEST_F(ColdStart, WhatIsInFlightIsTakenForWhatTheFirstHeaderShows) {
  std::vector<ticket_id> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(submit());
  auto now = start + 1ms;
  answer(ids[0], 9'000, now);
  for (auto const id : ids) EXPECT_NEAR(limiter.cost_of(id), 3'010, 10);
  EXPECT_NEAR(left(now), 0, 30);
  int remaining = 9'000;
  for (std::size_t i = 1; i < ids.size(); ++i) answer(ids[i], remaining -= 3'000, now);
  EXPECT_NEAR(left(now), 0, 30);
  now = start + 300ms;  // refunds of requests that went together count once
  for (auto const id : ids) limiter.settle(id, 1'000, std::nullopt, now);
  EXPECT_NEAR(left(now), 8'060, 60);
}

TEST_F(ColdStart, ABurstThatIsRefusedIsOneRefusal) {
  auto const first = submit();
  answer(first, 9'000, start);
  limiter.settle(first, 200, std::nullopt, start);
  std::vector<ticket_id> burst;
  for (int i = 0; i < 3; ++i) burst.push_back(submit(start + 1s));
  for (auto const id : burst)
    EXPECT_EQ(refuse(id, start + 1050ms, "token_quota_exceeded", {}).what, verdict::queue_again);
  EXPECT_NEAR(limiter.cost_of(burst[2]), 3'010, 20) << "somebody else may have been there";
  auto now = start + 1050ms;
  while (released(now).empty()) now = *limiter.next_deadline(now);
  EXPECT_EQ(refuse(burst[0], now, "token_quota_exceeded", {}).what, verdict::queue_again);
  EXPECT_NEAR(limiter.cost_of(burst[0]), 6'010, 20) << "twice in a row";
}

TEST_F(CerebrasLimiterQueue, AHeaderDescribesThePast) {
  know(60'000);
  auto const first = send(10'000);
  auto const second = send(20'000, start + 1s);
  // The answer to the first knows nothing of the second.
  plain_headers const h(50'000);
  limiter.observe(first, {.status = 200, .headers = h.view(), .error = {}}, start + 2s, wall);
  EXPECT_NEAR(limiter.status(scope, start + 2s).remaining_tokens, 32'000, 100);
  // Nor does a late answer to the first, after the second's, undo what the second said.
  plain_headers const h2(31'000);
  limiter.observe(second, {.status = 200, .headers = h2.view(), .error = {}}, start + 3s, wall);
  EXPECT_NEAR(limiter.status(scope, start + 3s).remaining_tokens, 33'000, 100);
}

TEST_F(CerebrasLimiterQueue, ConcurrencyIsBoundedInOrderOfArrivalAcrossScopes) {
  auto settings = generous();
  settings.max_in_flight = 1;
  limiter.configure(settings, start);
  auto const running = std::get<go>(limiter.submit(costing(10, {1, "a"}), start)).id;
  auto const b = std::get<queued>(limiter.submit(costing(10, {1, "b"}), start)).id;
  auto const a = std::get<queued>(limiter.submit(costing(10, {1, "a"}), start)).id;
  EXPECT_TRUE(released(start).empty());
  limiter.settle(running, 10, std::nullopt, start);
  EXPECT_EQ(released(start), (std::vector<ticket_id>{b}));
  limiter.leave(b, start);
  EXPECT_EQ(released(start), (std::vector<ticket_id>{a}));
  limiter.leave(a, start);
  expect_idle();
}

TEST_F(CerebrasLimiterQueue, OneModelOutOfQuotaDoesNotDelayAnother) {
  know(0);
  wait(1000);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(1000, {1, "other"}), start)));
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(1000, {2, "m"}), start)));
}

TEST_F(CerebrasLimiterQueue, ScopesAreBounded) {
  auto settings = generous();
  settings.max_scopes = 10;
  limiter.configure(settings, start);
  auto now = start;
  for (int i = 0; i < 1000; ++i) {
    auto const model = "model-" + std::to_string(i);
    now += 1s;
    auto const decided = limiter.submit(costing(100, {1, model}), now);
    limiter.settle(std::get<go>(decided).id, 100, std::nullopt, now);
  }
  EXPECT_LE(limiter.report(now).size(), 10U);
}

TEST_F(CerebrasLimiterQueue, NewLimitsReleaseWhatWaits) {
  auto settings = generous();
  settings.quota.use_headers = false;
  settings.quota.tpm_limit = 1000;
  limiter.configure(settings, start);
  send(1000);
  wait(1000);
  EXPECT_TRUE(released(start + 1s).empty());
  settings.quota.tpm_limit = 5000;
  limiter.configure(settings, start + 1s);
  EXPECT_EQ(released(start + 1s).size(), 1U);
}

TEST_F(CerebrasLimiterQueue, TheHourIsWaitedForWhenTheMinuteHasEnough) {
  header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "60000"},
                                 {"x-ratelimit-remaining-tokens-minute", "60000"},
                                 {"x-ratelimit-limit-tokens-hour", "360000"},
                                 {"x-ratelimit-remaining-tokens-hour", "0"}};
  limiter.update_from_headers(scope, fields, start, wall);
  auto const expected = std::get<queued>(limiter.submit(costing(1000), start)).expected;
  EXPECT_GE(expected, start + 10s);  // 100 tokens a second
  EXPECT_LE(expected, start + 11s);
}

TEST_F(CerebrasLimiterQueue, WaitsAreExplained) {
  know(1000);
  send(900);
  auto const big = std::get<queued>(limiter.submit(costing(600), start));
  EXPECT_EQ(big.held_by, constraint_of(limit_id{resource::tokens, window::minute}));
  EXPECT_STREQ(name_of(big.held_by), "tokens_minute");
  auto const small = std::get<queued>(limiter.submit(costing(50), start));
  EXPECT_EQ(small.held_by, constraint::others_ahead) << "it fits, and is not next";
  auto const report = limiter.report(start);
  EXPECT_EQ(report.at(0).held_by, big.held_by) << "of the next one";
  EXPECT_EQ(limiter.standing_of(small.id, start)->held_by, constraint::others_ahead);
}

TEST_F(CerebrasLimiterQueue, ABoundOfRequestsInFlightIsNamed) {
  auto bounded = generous();
  bounded.max_in_flight = 1;
  limiter.configure(bounded, start);
  know(60000);
  send(100);
  EXPECT_EQ(std::get<queued>(limiter.submit(costing(100), start)).held_by, constraint::in_flight);
}

TEST_F(CerebrasLimiterQueue, APausedScopeReleasesNothingUntilItIsResumed) {
  know(60000);
  EXPECT_FALSE(limiter.pause({.credential = 1, .model = "other"}, true)) << "nobody has asked for it";
  ASSERT_TRUE(limiter.pause(scope, true));
  auto const held = std::get<queued>(limiter.submit(costing(100), start));
  EXPECT_EQ(held.held_by, constraint::paused);
  EXPECT_TRUE(limiter.poll(start + 1min).empty());
  EXPECT_TRUE(limiter.report(start).at(0).paused);
  auto const in_time = *limiter.next_deadline(start);
  EXPECT_EQ(in_time, start + 10min) << "nothing to wake up for but the end of its patience";
  limiter.pause(scope, false);
  auto const events = limiter.poll(start + 1min);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, held.id);
  EXPECT_FALSE(events[0].refusal);
}

TEST_F(CerebrasLimiterQueue, WhileAScopeIsPausedNoRefusalNamesATime) {
  auto bounded = generous();
  bounded.max_depth = 1;
  limiter.configure(bounded, start);
  know(60000);
  limiter.settle(send(100), 100, 10, start);
  limiter.pause(scope, true);
  auto impatient = costing(100);
  impatient.max_wait = 0s;
  auto const at_once = std::get<refused>(limiter.submit(impatient, start));
  EXPECT_EQ(at_once.why, reason::queue_timeout);
  EXPECT_FALSE(at_once.retry_after) << "nobody knows when it will be resumed";
  wait(100);
  auto const full = std::get<refused>(limiter.submit(costing(100), start));
  EXPECT_EQ(full.why, reason::queue_full);
  EXPECT_FALSE(full.retry_after);
  auto const late = limiter.poll(start + 10min);
  ASSERT_EQ(late.size(), 1U);
  EXPECT_EQ(late[0].refusal.value().why, reason::queue_timeout);
  EXPECT_FALSE(late[0].refusal->retry_after);
  limiter.pause(scope, false);
  know(0, start + 10min);
  impatient.max_wait = 1ms;
  EXPECT_TRUE(std::get<refused>(limiter.submit(impatient, start + 10min)).retry_after);
}

TEST_F(CerebrasLimiterQueue, TotalsOfAScopeAddUp) {
  know(60000);
  auto const first = send(1000);
  auto const second = send(500);
  limiter.settle(first, 300, 10, start);
  refuse(second, start);
  auto const totals = limiter.report(start).at(0).totals;
  EXPECT_EQ(totals.released, 2U);
  EXPECT_NEAR(totals.tokens_released, 1500, 20);
  EXPECT_EQ(totals.tokens_used, 300);
  EXPECT_EQ(totals.refused, 1U);
}

}  // namespace
}  // namespace cooldown
