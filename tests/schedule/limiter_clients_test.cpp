// The limiter with many clients, and with limits that no header shows.
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::SizeIs;

class LimiterClients : public ::testing::Test {
 protected:
  LimiterClients() { use({}); }
  void use(limiter_settings s) {
    if (s.quota.rpm_limit == quota_settings{}.rpm_limit) s.quota.rpm_limit = 1e6;
    s.quota.tpm_limit = 1e9;
    limiter = std::make_unique<cerebras_limiter>(s);
  }
  static ticket_facts costing(std::uint64_t tokens, std::uint64_t client = 1, std::uint8_t urgency = 3) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = tokens - 8;
    t.client = client;
    t.urgency = urgency;
    return t;
  }
  /// Headers of an account of 60,000 tokens a minute; `reset` seconds, or none.
  void know(int remaining, const char* reset = nullptr, time_point now = start) {
    auto const left = std::to_string(remaining);
    std::vector<header_field> fields{{"x-ratelimit-limit-tokens-minute", "60000"},
                                     {"x-ratelimit-remaining-tokens-minute", left}};
    if (reset != nullptr) fields.push_back({"x-ratelimit-reset-tokens-minute", reset});
    limiter->update_from_headers(scope, fields, now, wall);
  }
  ticket_id send(const ticket_facts& t, time_point now = start) { return std::get<go>(limiter->submit(t, now)).id; }
  ticket_id wait(const ticket_facts& t, time_point now = start) { return std::get<queued>(limiter->submit(t, now)).id; }
  std::vector<ticket_id> released(time_point now) {
    std::vector<ticket_id> ids;
    for (auto const& e : limiter->poll(now))
      if (!e.refusal) ids.push_back(e.id);
    return ids;
  }
  void answer(ticket_id id, time_point now, std::vector<header_field> fields = {}) {
    limiter->observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
  }
  verdict refuse(ticket_id id, time_point now, const char* message, const char* code = "request_quota_exceeded") {
    header_field const fields[] = {{"retry-after", "60"}};
    return limiter
        ->observe(id, {.status = 429, .headers = fields, .error = {.message = message, .type = "", .code = code}}, now,
                  wall)
        .what;
  }

  std::unique_ptr<cerebras_limiter> limiter;
};

TEST_F(LimiterClients, TheUrgentGoFirst) {
  know(0, "10");
  auto const idle = wait(costing(100, 1, 7));
  auto const usual = wait(costing(100, 2, 3));
  auto const urgent = wait(costing(100, 3, 0));
  EXPECT_EQ(limiter->standing_of(urgent, start)->position, 1U);
  EXPECT_EQ(limiter->standing_of(idle, start)->position, 3U);
  EXPECT_THAT(released(start + 11s), ElementsAre(urgent, usual, idle));
}

TEST_F(LimiterClients, ClientsTakeTurns) {
  know(0, "10");
  auto const a1 = wait(costing(100, 1)), a2 = wait(costing(100, 1)), a3 = wait(costing(100, 1));
  auto const b1 = wait(costing(100, 2)), b2 = wait(costing(100, 2));
  EXPECT_THAT(released(start + 11s), ElementsAre(a1, b1, a2, b2, a3));
}

TEST_F(LimiterClients, ASmallOneOfAnotherClientUsesTheRestOfAWindow) {
  know(1000, "10");
  auto const large = wait(costing(5000, 1));
  auto const sibling = wait(costing(100, 1));
  auto const other = wait(costing(100, 2));
  EXPECT_THAT(released(start), ElementsAre(other));  // the head waits for the reset anyway
  EXPECT_THAT(released(start + 11s), ElementsAre(large, sibling));
}

TEST_F(LimiterClients, NobodyPassesWhereThatWouldDelayTheHead) {
  limiter_settings s;
  s.quota.replenishment = refill::continuous;
  use(s);
  know(1000);
  auto const large = wait(costing(5000, 1));
  wait(costing(100, 2));
  EXPECT_TRUE(released(start + 1s).empty());
  EXPECT_EQ(released(start + 4200ms).at(0), large);
}

TEST_F(LimiterClients, NobodyPassesWhereConfiguredLimitsDecide) {
  limiter_settings s;
  s.quota.use_headers = false;
  limiter = std::make_unique<cerebras_limiter>(s);  // 60,000 tokens a minute
  send(costing(30'000, 1));
  send(costing(28'000, 1), start + 20s);
  auto const large = wait(costing(20'000, 1, 0), start + 21s);
  wait(costing(1'000, 2), start + 21s);
  EXPECT_THAT(released(start + 22s), SizeIs(1));  // the rest of the window is there when the first has left
  wait(costing(25'000, 2), start + 23s);
  EXPECT_TRUE(released(start + 24s).empty());
  EXPECT_EQ(released(start + 62s).at(0), large);
}

TEST_F(LimiterClients, LimitsOfAModelHoldBesideThoseOfHeaders) {
  limiter_settings s;
  s.models["m"].limit[{resource::requests, window::day}] = 2;
  use(s);
  answer(send(costing(100)), start);
  answer(send(costing(100), start + 1s), start + 1s);
  auto third = costing(100);
  third.max_wait = 1h;
  auto const no = std::get<refused>(limiter->submit(third, start + 2s));
  EXPECT_EQ(no.why, reason::queue_timeout);
  EXPECT_GT(no.retry_after, 11h);  // half a day for one of two
  auto other = costing(100);
  other.scope.model = "another";
  send(other, start + 2s);
}

TEST_F(LimiterClients, IntoTheDarkGoOnlyAFew) {
  for (int i = 0; i < 4; ++i) send(costing(100));
  auto const fifth = wait(costing(100));
  EXPECT_THAT(released(start + 250ms), ElementsAre(fifth));  // no refusal so far: the quota is there
}

TEST_F(LimiterClients, AnAnswerEndsTheDark) {
  auto const first = send(costing(100));
  for (int i = 0; i < 3; ++i) send(costing(100));
  auto const fifth = wait(costing(100)), sixth = wait(costing(100));
  answer(first, start + 50ms,
         {{"x-ratelimit-limit-tokens-minute", "60000"},
          {"x-ratelimit-remaining-tokens-minute", "59000"},
          {"x-ratelimit-limit-requests-minute", "1000"},
          {"x-ratelimit-remaining-requests-minute", "999"}});
  EXPECT_THAT(released(start + 50ms), ElementsAre(fifth, sixth));
}

TEST_F(LimiterClients, ALimitPerSecondSpacesReleasesAndWearsOff) {
  know(60'000);
  std::vector<ticket_id> sent;
  auto now = start;
  for (int i = 0; i < 5; ++i) answer(send(costing(10), now), now);
  auto const sixth = send(costing(10), now);
  EXPECT_EQ(refuse(sixth, now += 2ms, "Requests per second limit exceeded"), verdict::queue_again);
  std::vector<time_point> when;
  for (int i = 0; i < 10; ++i) wait(costing(10), now);
  for (; when.size() < 11; now += 5ms)
    for (auto const id : released(now)) {
      when.push_back(now);
      answer(id, now);
    }
  for (std::size_t i = 1; i < when.size(); ++i) EXPECT_GE(when[i] - when[i - 1], 190ms);
  EXPECT_LE(when.back() - when.front(), 3s);
  // Much later nothing is left of it.
  for (int i = 0; i < 100; ++i) {
    now += 2min;
    answer(send(costing(10), now), now);
  }
  answer(send(costing(10), now), now);
  send(costing(10), now);
}

TEST_F(LimiterClients, RequestsAMinuteAreLearnedFromARefusal) {
  limiter_settings s;
  s.quota.rpm_limit = 300;
  use(s);
  auto now = start;
  for (int i = 0; i < 60; ++i, now += 20ms) answer(send(costing(10), now), now);
  EXPECT_EQ(refuse(send(costing(10), now), now + 1ms, "Requests per minute limit exceeded"), verdict::queue_again);
  auto const again = *limiter->next_deadline(now + 1ms);
  EXPECT_GT(again, now + 500ms);
  EXPECT_LT(again, now + 1500ms);  // a sixtieth of a minute, not the sixty seconds of retry-after
}

TEST_F(LimiterClients, ARemainingBeyondTheLimitIsASecondBucket) {
  auto const first = send(costing(1000));
  answer(first, start,
         {{"x-ratelimit-limit-tokens-minute", "60000"},
          {"x-ratelimit-remaining-tokens-minute", "59000"},
          {"x-ratelimit-limit-tokens-hour", "1000000"},
          {"x-ratelimit-remaining-tokens-hour", "2999000"}});
  auto const budgets = limiter->report(start).at(0).budgets;
  auto const total = std::find_if(budgets.begin(), budgets.end(), [](auto const& b) {
    return b.counts == resource::total_tokens && b.over == window::hour;
  });
  ASSERT_NE(total, budgets.end());
  EXPECT_EQ(total->level, 2'999'000);
  EXPECT_EQ(total->limit, 3'000'000);
  // Nothing holds back for the hidden one until a refusal speaks of it.
  auto const second = send(costing(1000), start + 1s);
  EXPECT_EQ(refuse(second, start + 1s, "Uncached tokens per hour limit exceeded", "token_quota_exceeded"),
            verdict::queue_again);
  auto const again = *limiter->next_deadline(start + 1s);
  EXPECT_NEAR(seconds_of(again - start - 1s), 1000 / (1e6 / 3600), 0.5);
}

}  // namespace
}  // namespace cooldown
