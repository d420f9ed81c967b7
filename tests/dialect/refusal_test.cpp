#include "cooldown/dialect/refusal.hpp"

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

TEST(Refusal, ATimeToRetryInTheTextMakesItQuota) {
  error_fields const advice{
      "You exceeded your current quota, please check your plan and billing. Please retry in 36.9s.", "", ""};
  EXPECT_EQ(classify_refusal(advice, {}, {}).what, refusal::kind::quota);
  error_fields const suspended{"Requests from this address are temporarily suspended.", "", ""};
  EXPECT_EQ(classify_refusal(suspended, {}, {}).what, refusal::kind::load);
  error_fields const spent{"Your monthly spend limit is reached.", "", ""};
  EXPECT_EQ(classify_refusal(spent, {}, {}).what, refusal::kind::incurable);
}

TEST(Refusal, AdviceToPayMakesNoQuotaIncurable) {
  struct row {
    error_fields body;
    std::vector<header_field> headers;
    kind what;
    std::optional<resource> counts;
    std::optional<window> over;
  };
  row const rows[] = {
      // The code or the type says that it is a limit of rate.
      {{"Rate limit reached for model `m` on tokens per minute (TPM): Limit 12000, Used 11000, Requested 1600. Please "
        "try again in 3s. Need more tokens? Upgrade at https://provider.example/settings/billing",
        "tokens", "rate_limit_exceeded"},
       {},
       kind::quota,
       resource::tokens,
       window::minute},
      {{"Rate limit reached on requests per min. Limit: 3 / min. Please try again in 20s. Please add a payment method "
        "to your account to increase your rate limit.",
        "requests", "rate_limit_exceeded"},
       {},
       kind::quota,
       resource::requests,
       window::minute},
      {{"Add credits to send more", "too_many_requests_error", "request_quota_exceeded"},
       {},
       kind::quota,
       resource::requests,
       std::nullopt},
      {{"Tokens per day limit exceeded. Raise your spending limit.", "", ""},
       {},
       kind::quota,
       resource::tokens,
       window::day},
      // No code, but a time, or a limit that is used up, or a limit of rate by name.
      {{"Add a payment method to go faster.", "", "429"}, {{"retry-after", "20"}}, kind::quota, {}, {}},
      {{"Add a payment method to go faster.", "", ""}, {{"x-ratelimit-remaining-requests", "0"}}, kind::quota, {}, {}},
      {{"Rate limit exceeded: free-models-per-min. Add 10 credits to unlock more", "", "429"},
       {},
       kind::quota,
       std::nullopt,
       window::minute},
      // The code or the type says that no wait helps, whatever else is there.
      {{"Tokens per minute limit exceeded", "", "insufficient_quota"},
       {{"retry-after", "1"}},
       kind::incurable,
       std::nullopt,
       std::nullopt},
      {{"", "billing_error", ""}, {{"retry-after", "1"}}, kind::incurable, std::nullopt, std::nullopt},
      {{"", "", "billing_hard_limit_reached"}, {}, kind::incurable, std::nullopt, std::nullopt},
      {{"", "", "spending_limit_exceeded"}, {}, kind::incurable, std::nullopt, std::nullopt},
      {{"", "payment_required", "429"}, {{"retry-after", "1"}}, kind::incurable, std::nullopt, std::nullopt},
      // Only words, and nothing that names a quota or a time.
      {{"Your credit balance is too low.", "", ""}, {}, kind::incurable, std::nullopt, std::nullopt},
      {{"Your credit balance is too low.", "error", "429"}, {}, kind::incurable, std::nullopt, std::nullopt},
      // Load by its code; its words count only where no quota is named.
      {{"Add credits for priority", "too_many_requests_error", "queue_exceeded"}, {}, kind::load, {}, {}},
      {{"Overloaded", "overloaded_error", ""}, {{"retry-after", "60"}}, kind::load, std::nullopt, std::nullopt},
      {{"Tokens per minute limit exceeded. In times of high traffic limits are lower.", "tokens",
        "token_quota_exceeded"},
       {},
       kind::quota,
       resource::tokens,
       window::minute},
      {{"We are at capacity. Upgrade your billing plan for priority.", "", ""}, {}, kind::load, {}, {}},
      {{"We are overloaded.", "", "429"}, {{"retry-after", "2"}}, kind::load, std::nullopt, std::nullopt},
  };
  for (auto const& r : rows) {
    auto const seen = classify_refusal(r.body, r.headers, now);
    EXPECT_EQ(seen.what, r.what) << r.body.message << r.body.type << r.body.code;
    EXPECT_EQ(seen.counts, r.counts) << r.body.message << r.body.type << r.body.code;
    EXPECT_EQ(seen.over, r.over) << r.body.message << r.body.type << r.body.code;
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
