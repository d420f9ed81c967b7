#include "cooldown/core/refusal.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using kind = refusal::kind;

constexpr wall_time now{std::chrono::hours{490'000}};

TEST(Refusal, Classes) {
  struct row {
    error_fields body;
    std::vector<header_field> headers;
    kind what;
    std::optional<resource> counts;
    std::optional<window> over;
  };
  row const rows[] = {
      {{"Requests per minute limit exceeded - too many requests sent.", "too_many_requests_error",
        "request_quota_exceeded"},
       {{"retry-after", "60"}},
       kind::quota,
       resource::requests,
       window::minute},
      {{"Tokens per minute limit exceeded - too many tokens processed.", "too_many_tokens_error",
        "token_quota_exceeded"},
       {},
       kind::quota,
       resource::tokens,
       window::minute},
      {{"Tokens per day limit exceeded - too many tokens processed.", "too_many_tokens_error", "token_quota_exceeded"},
       {},
       kind::quota,
       resource::tokens,
       window::day},
      {{"Requests per hour limit exceeded", "", ""}, {}, kind::quota, resource::requests, window::hour},
      {{"We're experiencing high traffic right now! Please try again soon.", "too_many_requests_error",
        "queue_exceeded"},
       {{"retry-after", "1"}},
       kind::load,
       std::nullopt,
       std::nullopt},
      {{"You exceeded your current quota, please check your plan and billing details.", "insufficient_quota",
        "insufficient_quota"},
       {{"retry-after", "1"}},
       kind::incurable,
       std::nullopt,
       std::nullopt},
      {{"Payment required", "", ""}, {}, kind::incurable, std::nullopt, std::nullopt},
      {{"", "", "rate_limit_exceeded"}, {}, kind::quota, std::nullopt, std::nullopt},
      {{}, {{"retry-after", "1"}}, kind::quota, std::nullopt, std::nullopt},
      {{}, {{"X-RateLimit-Remaining-Tokens-Minute", "0"}}, kind::quota, std::nullopt, std::nullopt},
      {{}, {}, kind::load, std::nullopt, std::nullopt},
  };
  for (auto const& r : rows) {
    auto const seen = classify_refusal(r.body, r.headers, now);
    EXPECT_EQ(seen.what, r.what) << r.body.message;
    EXPECT_EQ(seen.counts, r.counts) << r.body.message;
    EXPECT_EQ(seen.over, r.over) << r.body.message;
  }
}

TEST(Refusal, BurstsAreToldApart) {
  EXPECT_TRUE(classify_refusal({"Requests per second limit exceeded", "", "request_quota_exceeded"}, {}, now).burst);
}

TEST(Refusal, RetryAfterInItsForms) {
  auto const of = [](std::vector<header_field> h) { return retry_after_of(h, now); };
  EXPECT_EQ(of({{"Retry-After", "60"}}), 60s);
  EXPECT_EQ(of({{"Retry-After", "60"}, {"Retry-After", "soon"}}), 60s);
  EXPECT_EQ(of({{"Retry-After", "60"}, {"Retry-After", "5"}}), 60s) << "the most careful of them";
  EXPECT_EQ(of({{"retry-after-ms", "250"}, {"retry-after", "1"}}), 250ms);
  EXPECT_EQ(of({{"retry-after", "1"}, {"retry-after-ms", "250"}}), 250ms);
  EXPECT_EQ(of({{"retry-after", "Mon, 24 Nov 2025 16:00:07 GMT"}}), 7s);
  EXPECT_EQ(of({{"retry-after", "soon"}}), std::nullopt);
  EXPECT_EQ(of({}), std::nullopt);
}

}  // namespace
}  // namespace cooldown
