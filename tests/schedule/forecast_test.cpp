// Forecasts of waits.
#include <algorithm>
#include <map>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

const std::vector<header_field> plenty{{"x-ratelimit-limit-tokens-minute", "600000000"},
                                       {"x-ratelimit-remaining-tokens-minute", "600000000"}};

class Forecast : public ::testing::Test {
 protected:
  Forecast() { reconfigure(); }

  void reconfigure() {
    settings.quota.rpm_limit = 1e6;
    limiter.configure(settings, now);
  }
  void open() { limiter.update_from_headers(scope, plenty, now, wall); }

  decision submit(duration max_wait = 24h) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = maximum;
    t.client = client;
    t.max_wait = max_wait;
    auto const decided = limiter.submit(t, now);
    if (auto const* const g = std::get_if<go>(&decided)) send(g->id);
    return decided;
  }
  void send(ticket_id id) {
    sent.push_back(id);
    went[id] = now;
    limiter.observe(id, {.status = 200, .headers = headers, .error = {}}, now, wall);
    ends.push({now + lasts, id});
  }
  /// Time goes on, answers end and tickets are released, until `until`.
  void run(time_point until) {
    for (;;) {
      auto next = limiter.next_deadline(now).value_or(time_point::max());
      if (!ends.empty()) next = std::min(next, ends.top().first);
      if (next > until) break;
      now = std::max(now, next);
      while (!ends.empty() && ends.top().first <= now) {
        limiter.settle(ends.top().second, used, std::nullopt, now);
        ends.pop();
      }
      for (auto const& e : limiter.poll(now))
        if (!e.refusal) send(e.id);
    }
    now = until;
  }
  void learn_answers(int n) {
    for (int i = 0; i < n; ++i) {
      submit();
      run(now + lasts + 1s);
    }
  }
  double wait(const decision& d) const { return seconds_of(std::get<queued>(d).expected - now); }

  std::uint64_t client = 1;
  std::uint64_t maximum = 100;
  std::uint64_t used = 100;
  duration lasts = 30s;
  std::vector<header_field> headers = plenty;
  limiter_settings settings;
  cerebras_limiter limiter{limiter_settings{}};
  time_point now = start;
  std::vector<ticket_id> sent;
  std::map<ticket_id, time_point> went;
  std::priority_queue<std::pair<time_point, ticket_id>, std::vector<std::pair<time_point, ticket_id>>, std::greater<>>
      ends;
};

class BoundedInFlight : public Forecast {
 protected:
  BoundedInFlight() {
    settings.max_in_flight = 2;
    reconfigure();
    open();
    learn_answers(6);
    for (int i = 0; i < 2 + 97; ++i) submit();
  }
};

TEST_F(BoundedInFlight, AForecastCountsTheAnswersThatHaveToEndBefore) {
  auto const told = submit();
  EXPECT_EQ(std::get<queued>(told).position, 98U);
  EXPECT_NEAR(wait(told), 1'470, 30);
}

TEST_F(BoundedInFlight, WhoCannotGoInTimeIsToldSoAtOnce) {
  auto const told = submit(60s);
  ASSERT_TRUE(std::holds_alternative<refused>(told));
  auto const& no = std::get<refused>(told);
  EXPECT_EQ(no.why, reason::queue_timeout);
  ASSERT_TRUE(no.retry_after);
  EXPECT_NEAR(seconds_of(*no.retry_after), 1'470, 30);
}

TEST_F(BoundedInFlight, ThoseOfOtherScopesTakeTheirPartOfWhatBecomesFree) {
  for (int i = 0; i < 98; ++i) {
    ticket_facts t;
    t.scope = {2, "m"};
    t.max_wait = 24h;
    limiter.submit(t, now);
  }
  now += 29s;  // what is told of those behind may be so old
  EXPECT_NEAR(wait(submit()), 2 * 1'470, 100);
}

TEST_F(Forecast, KnowsWhoseAnswersLastLonger) {
  settings.max_in_flight = 2;
  reconfigure();
  open();
  auto const answers_of = [&](std::uint64_t who, duration last) {
    client = who;
    lasts = last;
  };
  answers_of(1, 60s);
  learn_answers(3);
  answers_of(2, 1s);
  learn_answers(30);
  answers_of(1, 60s);
  submit();
  submit();
  answers_of(2, 1s);
  EXPECT_NEAR(wait(submit()), 60, 1);
  submit();
  EXPECT_NEAR(wait(submit()), 61, 1) << "two went before, and short ones";
}

TEST_F(Forecast, CountsHowFarReleasesAreSpacedOut) {
  open();
  lasts = 1s;
  submit();
  auto const one = std::get<go>(submit()).id;
  limiter.observe(one, {.status = 429, .headers = {}, .error = {"too many requests per second", "", ""}}, now, wall);
  for (int i = 0; i < 200; ++i) submit();
  auto const told = submit();
  auto const expected = std::get<queued>(told).expected;
  EXPECT_GT(wait(told), 190);
  run(now + 10min);
  EXPECT_NEAR(seconds_of(went.at(std::get<queued>(told).id) - expected), 0, 20);
}

TEST_F(Forecast, OfAPausedModelThereIsTheReasonAndNoTime) {
  open();
  submit();
  limiter.pause(scope, true);
  auto const told = submit();
  EXPECT_EQ(std::get<queued>(told).held_by, constraint::paused);
  auto const no = submit(0s);
  ASSERT_TRUE(std::holds_alternative<refused>(no));
  EXPECT_FALSE(std::get<refused>(no).retry_after);
}

/// A provider that reserves the maximum and counts less in the end.
class ReservedIsNotUsed : public Forecast {
 protected:
  ReservedIsNotUsed() {
    settings.quota.tpm_limit = 60'000;
    settings.quota.use_headers = false;
    reconfigure();
    maximum = 3'000;
    used = 300;
    lasts = 1s;
  }
};

TEST_F(ReservedIsNotUsed, WhatComesBackIsForeseen) {
  learn_answers(8);
  run(now + 2min);
  std::vector<decision> told;
  for (int i = 0; i < 300; ++i) told.push_back(submit());
  std::map<ticket_id, time_point> expected;
  for (auto const& d : told)
    if (auto const* const q = std::get_if<queued>(&d)) expected[q->id] = q->expected;
  auto const from = now;
  run(now + 10min);
  ASSERT_GT(expected.size(), 200U);
  std::vector<double> off;
  for (auto const& [id, at] : expected) {
    auto const actual = seconds_of(went.at(id) - from);
    off.push_back(std::abs(actual - seconds_of(at - from)) / std::max(1.0, actual));
  }
  std::sort(off.begin(), off.end());
  EXPECT_LE(off[off.size() / 2], 0.1);
  EXPECT_LE(off[off.size() * 9 / 10], 0.35);
}

}  // namespace
}  // namespace cooldown
