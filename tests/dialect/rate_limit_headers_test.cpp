// Row 1 of the contract: parse_rate_limit_headers with the headers that providers send.
#include "cooldown/dialect/rate_limit_headers.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using fields = std::vector<header_field>;

constexpr wall_time now{std::chrono::hours{490'000}};  // 2025-11-24 16:00 UTC

rate_limit_snapshot parsed(const fields& from) {
  auto const result = parse_rate_limit_headers(from, now);
  if (auto const* const error = std::get_if<rate_limit_header_error>(&result)) ADD_FAILURE() << error->message;
  return std::holds_alternative<rate_limit_snapshot>(result) ? std::get<rate_limit_snapshot>(result)
                                                             : rate_limit_snapshot{};
}

rate_limit_header_error refused(const fields& from) {
  auto const result = parse_rate_limit_headers(from, now);
  EXPECT_TRUE(std::holds_alternative<rate_limit_header_error>(result));
  return std::holds_alternative<rate_limit_header_error>(result) ? std::get<rate_limit_header_error>(result)
                                                                 : rate_limit_header_error{};
}

limit_snapshot tokens_minute(const rate_limit_snapshot& s) {
  return s.at(resource::tokens, window::minute);
}

TEST(RateLimitHeaders, DocumentedPairs) {
  auto const s = parsed({{"x-ratelimit-limit-requests-day", "14400"},
                         {"x-ratelimit-remaining-requests-day", "14399"},
                         {"x-ratelimit-reset-requests-day", "33011.382867097855"},
                         {"x-ratelimit-limit-tokens-minute", "60000"},
                         {"x-ratelimit-remaining-tokens-minute", "59000"},
                         {"x-ratelimit-reset-tokens-minute", "11.382867097854614"}});
  EXPECT_EQ(tokens_minute(s).limit, 60000U);
  EXPECT_EQ(tokens_minute(s).remaining, 59000U);
  EXPECT_EQ(tokens_minute(s).reset, duration{11'382'867'098});  // rounded up to the nanosecond
  auto const& day = s.at(resource::requests, window::day);
  EXPECT_EQ(day.limit, 14400U);
  EXPECT_EQ(day.remaining, 14399U);
  EXPECT_EQ(day.reset, duration{33'011'382'867'098});
}

TEST(RateLimitHeaders, ResetIsExactToTheNanosecond) {
  auto const reset = [](const char* text) {
    return tokens_minute(parsed({{"x-ratelimit-limit-tokens-minute", "1"}, {"x-ratelimit-reset-tokens-minute", text}}))
        .reset;
  };
  EXPECT_EQ(reset("45.5"), 45'500ms);
  EXPECT_EQ(reset("0.000000001"), 1ns);
  EXPECT_EQ(reset("0.0000000001"), 1ns);
  EXPECT_EQ(reset("0"), 0ns);
  EXPECT_EQ(reset("5e-05"), 50us);
  EXPECT_EQ(reset("60."), 60s);
  EXPECT_EQ(reset(".5"), 500ms);
}

TEST(RateLimitHeaders, NamesAreCaseInsensitive) {
  auto const s = parsed({{"X-RateLimit-Limit-Tokens-Minute", "10"}, {"X-RATELIMIT-REMAINING-TOKENS-MINUTE", "9"}});
  EXPECT_EQ(tokens_minute(s).limit, 10U);
  EXPECT_EQ(tokens_minute(s).remaining, 9U);
}

TEST(RateLimitHeaders, LiveCaptureOfAllSixPairsWithoutResets) {
  auto const s = parsed({{"x-ratelimit-limit-requests-minute", "5"},
                         {"x-ratelimit-remaining-requests-minute", "4"},
                         {"x-ratelimit-limit-requests-hour", "150"},
                         {"x-ratelimit-remaining-requests-hour", "149"},
                         {"x-ratelimit-limit-requests-day", "2400"},
                         {"x-ratelimit-remaining-requests-day", "2399"},
                         {"x-ratelimit-limit-tokens-minute", "30000"},
                         {"x-ratelimit-remaining-tokens-minute", "13381"},
                         {"x-ratelimit-limit-tokens-hour", "1000000"},
                         {"x-ratelimit-remaining-tokens-hour", "2999976"},
                         {"x-ratelimit-limit-tokens-day", "1000000"},
                         {"x-ratelimit-remaining-tokens-day", "983005"}});
  EXPECT_EQ(std::distance(s.limits.begin(), s.limits.end()), 6);
  for (auto const& [id, l] : s.limits) {
    EXPECT_TRUE(l.limit && l.remaining);
    EXPECT_FALSE(l.reset);
  }
  EXPECT_EQ(tokens_minute(s).remaining, 13381U);
  EXPECT_EQ(s.at(resource::requests, window::hour).remaining, 149U);
  // Two buckets behind one name: beyond the limit, and legal.
  EXPECT_EQ(s.at(resource::tokens, window::hour).remaining, 2'999'976U);
}

TEST(RateLimitHeaders, WhatIsMissingIsNamed) {
  EXPECT_EQ(refused({{"x-ratelimit-remaining-tokens-minute", "5"}}).message,
            "missing required rate limit headers: x-ratelimit-limit-tokens-minute");
  EXPECT_EQ(
      refused({{"x-ratelimit-limit-tokens-minute", "5"}}).message,
      "missing required rate limit headers: x-ratelimit-remaining-tokens-minute or x-ratelimit-reset-tokens-minute");
  EXPECT_EQ(
      refused({{"x-ratelimit-limit-requests-day", "5"}}).message,
      "missing required rate limit headers: x-ratelimit-limit-tokens-minute, x-ratelimit-remaining-tokens-minute or "
      "x-ratelimit-reset-tokens-minute");
  EXPECT_FALSE(refused({{"x-ratelimit-limit-requests-day", "5"}}).absent);
  EXPECT_TRUE(refused({{"content-type", "text/plain"}}).absent);
  EXPECT_TRUE(refused({}).absent);
}

TEST(RateLimitHeaders, InvalidValuesCountAsAbsent) {
  for (auto const* const bad : {"",
                                " ",
                                "-1",
                                "-0.5",
                                "+5",
                                "abc",
                                "NaN",
                                "nan",
                                "inf",
                                "-inf",
                                "1e400",
                                "0x10",
                                "5 5",
                                "5,5",
                                "18446744073709551616",
                                "99999999999999999999999999",
                                "1.2.3",
                                "--1",
                                "1_000",
                                "\xff"}) {
    auto const limit =
        refused({{"x-ratelimit-limit-tokens-minute", bad}, {"x-ratelimit-remaining-tokens-minute", "5"}});
    EXPECT_NE(limit.message.find("limit-tokens-minute"), std::string::npos) << bad;
    auto const s = parsed({{"x-ratelimit-limit-tokens-minute", "10"},
                           {"x-ratelimit-remaining-tokens-minute", "5"},
                           {"x-ratelimit-reset-tokens-minute", bad},
                           {"x-ratelimit-remaining-requests-day", bad}});
    EXPECT_FALSE(tokens_minute(s).reset) << bad;
    auto const& day = s.at(resource::requests, window::day);
    EXPECT_EQ(day.remaining.value_or(0), 0U) << bad;  // below zero is nothing left; the rest is absent
  }
  // A limit of nothing is no limit.
  EXPECT_FALSE(
      refused({{"x-ratelimit-limit-tokens-minute", "0"}, {"x-ratelimit-remaining-tokens-minute", "0"}}).absent);
}

TEST(RateLimitHeaders, ARemainingBelowZeroIsNothingLeft) {
  for (auto const* const less : {"-1", "-20", "-0", "-20.0", " -15000 "}) {
    auto const s = parsed({{"x-ratelimit-limit-tokens-minute", "1000"}, {"x-ratelimit-remaining-tokens-minute", less}});
    EXPECT_EQ(tokens_minute(s).remaining, 0U) << less;
  }
  for (auto const* const rubbish : {"-", "--1", "-a", "-1e3"}) {
    auto const s = parsed({{"x-ratelimit-limit-tokens-minute", "1000"},
                           {"x-ratelimit-remaining-tokens-minute", rubbish},
                           {"x-ratelimit-reset-tokens-minute", "3"}});
    EXPECT_FALSE(tokens_minute(s).remaining) << rubbish;
  }
}

TEST(RateLimitHeaders, WhereTheLimitIsNegativeTooThereIsNone) {
  auto const s = parsed({{"x-ratelimit-limit-requests-day", "-1"},
                         {"x-ratelimit-remaining-requests-day", "-1"},
                         {"x-ratelimit-limit-tokens-minute", "10"},
                         {"x-ratelimit-remaining-tokens-minute", "5"}});
  EXPECT_FALSE(s.at(resource::requests, window::day).any());
}

TEST(RateLimitHeaders, OneUnusableHeaderTakesNothingFromTheRest) {
  auto const error = refused({{"x-ratelimit-limit-tokens-minute", "30000"},
                              {"x-ratelimit-remaining-tokens-minute", "rubbish"},
                              {"x-ratelimit-limit-requests-day", "100"},
                              {"x-ratelimit-remaining-requests-day", "0"}});
  EXPECT_EQ(error.rest.at(resource::requests, window::day).remaining, 0U);
  EXPECT_EQ(error.rest.at(resource::tokens, window::minute).limit, 30'000U);
}

TEST(RateLimitHeaders, OfRepeatedFieldsTheMostCarefulValueHolds) {
  auto const s = parsed({{"x-ratelimit-limit-tokens-minute", "100"},
                         {"x-ratelimit-limit-tokens-minute", "50"},
                         {"x-ratelimit-remaining-tokens-minute", "7"},
                         {"x-ratelimit-remaining-tokens-minute", "70"},
                         {"x-ratelimit-reset-tokens-minute", "3"},
                         {"x-ratelimit-reset-tokens-minute", "30"},
                         {"x-ratelimit-reset-tokens-minute", "rubbish"}});
  EXPECT_EQ(tokens_minute(s).limit, 50U);
  EXPECT_EQ(tokens_minute(s).remaining, 7U);
  EXPECT_EQ(tokens_minute(s).reset, 30s);
}

TEST(RateLimitHeaders, OtherDialects) {
  auto const openai = parsed({{"x-ratelimit-limit-tokens", "150000"},
                              {"x-ratelimit-remaining-tokens", "149984"},
                              {"x-ratelimit-reset-tokens", "6m0s"},
                              {"x-ratelimit-reset-requests", "825ms"}});
  EXPECT_EQ(tokens_minute(openai).reset, 6min);
  EXPECT_EQ(openai.at(resource::requests, window::minute).reset, 825ms);
  auto const project = parsed({{"x-ratelimit-limit-tokens", "150000"},
                               {"x-ratelimit-remaining-tokens", "20000"},
                               {"x-ratelimit-reset-tokens", "52s"},
                               {"x-ratelimit-limit-project-tokens", "90000"},
                               {"x-ratelimit-remaining-project-tokens", "0"},
                               {"x-ratelimit-reset-project-tokens", "60s"}});
  EXPECT_EQ(tokens_minute(project).remaining, 0U) << "the tighter of both";
  EXPECT_EQ(tokens_minute(project).reset, 60s);
  auto const anthropic = parsed({{"anthropic-ratelimit-tokens-limit", "80000"},
                                 {"anthropic-ratelimit-tokens-remaining", "0"},
                                 {"anthropic-ratelimit-tokens-reset", "2025-11-24T16:00:30Z"}});
  EXPECT_EQ(tokens_minute(anthropic).reset, 30s);
}

TEST(RateLimitHeaders, TokensThatRepeatThoseOfTheOutputAreNoLimitOfTheirOwn) {
  auto const of = [](const char* tokens) {
    return parsed({{"anthropic-ratelimit-input-tokens-limit", "30000"},
                   {"anthropic-ratelimit-input-tokens-remaining", "29000"},
                   {"anthropic-ratelimit-output-tokens-limit", "8000"},
                   {"anthropic-ratelimit-output-tokens-remaining", "7000"},
                   {"anthropic-ratelimit-tokens-limit", tokens},
                   {"anthropic-ratelimit-tokens-remaining", "7000"}});
  };
  EXPECT_FALSE(tokens_minute(of("8000")).any());
  EXPECT_EQ(of("8000").at(resource::output_tokens, window::minute).remaining, 7000U);
  EXPECT_TRUE(tokens_minute(of("38000")).any());
}

}  // namespace
}  // namespace cooldown
