// The limiter with the headers of providers other than Cerebras.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

struct LimiterDialects : ::testing::Test {
  /// One request that is answered with these headers, a second later.
  void exchange(const std::vector<header_field>& headers) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = 90;
    auto const decided = limiter.submit(t, now);
    ASSERT_TRUE(std::holds_alternative<go>(decided));
    auto const id = std::get<go>(decided).id;
    now += 1s;
    limiter.observe(id, {.status = 200, .headers = headers, .error = {}}, now, wall + (now - start));
    limiter.settle(id, 50, 10, now);
  }

  double limit_of(resource counts, window over) {
    auto const report = limiter.report(now);
    auto const& budgets = report.front().budgets;
    auto const found =
        std::ranges::find_if(budgets, [&](auto const& b) { return b.over == over && b.counts == counts; });
    return found == budgets.end() ? 0 : found->limit;
  }

  time_point now = start;
  cerebras_limiter limiter{limiter_settings{}};
};

TEST_F(LimiterDialects, ADayOfRequestsWithoutANameIsNotTakenForAMinuteOfThem) {
  for (int used = 31; used < 40; ++used) {
    auto const left = std::to_string(14'400 - used);
    auto const full = std::to_string(6 * used) + "s";
    exchange({{"x-ratelimit-limit-requests", "14400"},
              {"x-ratelimit-remaining-requests", left},
              {"x-ratelimit-reset-requests", full},
              {"x-ratelimit-limit-tokens", "6000"},
              {"x-ratelimit-remaining-tokens", "5800"},
              {"x-ratelimit-reset-tokens", "2s"}});
  }
  EXPECT_EQ(limit_of(resource::requests, window::day), 14'400);
  EXPECT_EQ(limit_of(resource::requests, window::minute), 30) << "the configured one counts again";
  EXPECT_EQ(limit_of(resource::tokens, window::minute), 6'000);
}

TEST_F(LimiterDialects, ALimitOfRequestsAloneLeavesTokensToTheConfiguration) {
  exchange({{"RateLimit-Policy", "\"default\";q=100;w=3600"}, {"RateLimit", "\"default\";r=50;t=30"}});
  EXPECT_EQ(limit_of(resource::requests, window::hour), 100);
  EXPECT_EQ(limit_of(resource::tokens, window::minute), 0);
  ticket_facts large;
  large.scope = scope;
  large.size.max_output_tokens = 5'000;
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(large, now))) << "100 are requests, not tokens";
}

TEST_F(LimiterDialects, OnlyCerebrasHasToSendTokensAMinute) {
  auto const problem_with = [](limiter_settings settings, const std::vector<header_field>& headers) {
    cerebras_limiter fresh(settings);
    ticket_facts t;
    t.scope = scope;
    auto const id = std::get<go>(fresh.submit(t, start)).id;
    return fresh.observe(id, {.status = 200, .headers = headers, .error = {}}, start, wall).header_problem;
  };
  std::vector<header_field> const groq{{"x-ratelimit-limit-requests", "14400"},
                                       {"x-ratelimit-remaining-requests", "14300"}};
  std::vector<header_field> const own{{"X-Quota-Left", "7"}};
  limiter_settings settings;
  EXPECT_NE(problem_with(settings, {}), "") << "as documented";
  EXPECT_NE(problem_with(settings, own), "");
  for (auto const speaks : {dialect::openai, dialect::groq, dialect::gemini, dialect::anthropic, dialect::ietf}) {
    settings.dialect = speaks;
    EXPECT_EQ(problem_with(settings, groq), "") << name_of(speaks);
    EXPECT_EQ(problem_with(settings, {}), "") << name_of(speaks);
  }
  settings.dialect = dialect::cerebras;
  EXPECT_NE(problem_with(settings, {}), "");
  settings.dialect = dialect::automatic;
  settings.headers = {{"X-Quota-Left", *meaning_in_words("remaining requests")}};
  EXPECT_EQ(problem_with(settings, own), "") << "their names are told";
}

}  // namespace
}  // namespace cooldown
