// Limits that only a refusal has named, and absurd costs.
#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

bool knows_requests_a_day(cerebras_limiter& limiter) {
  auto const report = limiter.report(start + 1s);
  for (auto const& b : report.front().budgets)
    if (b.counts == resource::requests && b.over == window::day) return true;
  return false;
}

TEST(LimiterNamedLimit, OutlivesAConfigurationThatSaysNothingOfIt) {
  limiter_settings settings;
  cerebras_limiter limiter(settings);
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = 10;
  auto const id = std::get<go>(limiter.submit(t, start)).id;
  answer a;
  a.status = 429;
  a.error = {.message = "Requests per day limit exceeded",
             .type = "too_many_requests_error",
             .code = "request_quota_exceeded"};
  limiter.observe(id, a, start + 1s, wall);
  ASSERT_TRUE(knows_requests_a_day(limiter));
  settings.max_in_flight = 3;
  limiter.configure(settings, start + 1s);
  EXPECT_TRUE(knows_requests_a_day(limiter));
}

TEST(LimiterNamedLimit, IsAsLargeAsTheRefusalSays) {
  cerebras_limiter limiter(limiter_settings{});
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = 10;
  auto const id = std::get<go>(limiter.submit(t, start)).id;
  error_fields const error{.message =
                               "Rate limit reached for model `m` on tokens per day (TPD): Limit 100000, Used "
                               "99990, Requested 20. Please try again in 9s. Upgrade at /settings/billing",
                           .type = "tokens",
                           .code = "rate_limit_exceeded"};
  EXPECT_EQ(limiter.observe(id, {.status = 429, .headers = {}, .error = error}, start, wall).what,
            verdict::queue_again);
  auto const report = limiter.report(start);
  auto const& budgets = report.front().budgets;
  auto const day = std::ranges::find_if(
      budgets, [](auto const& b) { return b.over == window::day && b.counts == resource::tokens; });
  ASSERT_NE(day, budgets.end());
  EXPECT_EQ(day->limit, 100'000);
}

TEST(LimiterNamedLimit, ARequestLargerThanItIsRefusedForGoodAtOnce) {
  cerebras_limiter limiter(limiter_settings{});
  ticket_facts t;
  t.scope = scope;
  t.size.input_chars = 150'000;
  t.size.max_output_tokens = 10;
  auto const id = std::get<go>(limiter.submit(t, start)).id;
  error_fields const error{.message = "Request too large for m on tokens per min (TPM): Limit 30000, Requested 41000.",
                           .type = "tokens",
                           .code = "rate_limit_exceeded"};
  auto const seen = limiter.observe(id, {.status = 429, .headers = {}, .error = error}, start, wall);
  EXPECT_EQ(seen.what, verdict::refuse);
  ASSERT_TRUE(seen.refusal);
  EXPECT_EQ(seen.refusal->why, reason::request_too_large_for_limit);
  EXPECT_EQ(seen.refusal->limit, 30'000);
}

TEST(LimiterNamedLimit, WhatCouldNotHaveAdmittedTheRequestIsNotItsSize) {
  cerebras_limiter limiter(limiter_settings{});
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = 400;
  auto const id = std::get<go>(limiter.submit(t, start)).id;
  error_fields const error{
      .message = "Tokens per day: Limit 1. Try again in 1s.", .type = "", .code = "rate_limit_exceeded"};
  limiter.observe(id, {.status = 429, .headers = {}, .error = error}, start, wall);
  auto const report = limiter.report(start);
  for (auto const& b : report.front().budgets) EXPECT_GT(b.limit, 1);
}

TEST(LimiterNamedLimit, WhatFitsByTheProvidersWordIsNotTooLarge) {
  cerebras_limiter limiter(limiter_settings{});
  std::array<header_field, 2> const full{
      {{"x-ratelimit-limit-tokens-minute", "2000"}, {"x-ratelimit-remaining-tokens-minute", "2000"}}};
  limiter.update_from_headers(scope, full, start, wall);
  ticket_facts t;
  t.scope = scope;
  t.size.input_chars = 9'000;  // 2,700 tokens by guess
  t.size.max_output_tokens = 100;
  t.max_wait = 1h;
  auto const decided = limiter.submit(t, start);
  ASSERT_TRUE(std::holds_alternative<go>(decided));
  error_fields const error{.message = "on tokens per min (TPM): Limit 2000, Used 1500, Requested 700.",
                           .type = "tokens",
                           .code = "rate_limit_exceeded"};
  auto const seen =
      limiter.observe(std::get<go>(decided).id, {.status = 429, .headers = {}, .error = error}, start, wall);
  EXPECT_EQ(seen.what, verdict::queue_again);
}

TEST(LimiterNamedLimit, AnAbsurdMaximumLeavesTheDayAsItWas) {
  limiter_settings settings;
  settings.quota.limits.limit[{resource::tokens, window::day}] = 1'000'000;
  cerebras_limiter limiter(settings);
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = UINT64_MAX;
  t.size.choices = 1'000;
  auto const decided = limiter.submit(t, start);
  if (auto const* const yes = std::get_if<go>(&decided)) {
    limiter.observe(yes->id, {.status = 400, .headers = {}, .error = {}}, start, wall);
    limiter.settle(yes->id, 0, std::nullopt, start);
  }
  auto const report = limiter.report(start);
  for (auto const& b : report.front().budgets)
    if (b.over == window::day && b.counts == resource::tokens) {
      EXPECT_NEAR(b.level, 1'000'000, 1);
    }
}

}  // namespace
}  // namespace cooldown
