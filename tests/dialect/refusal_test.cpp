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
      // If it is not load after all, it is most likely that.
      {{}, {}, kind::load, resource::requests, window::minute},
  };
  for (auto const& r : rows) {
    auto const seen = classify_refusal(r.body, r.headers, now);
    EXPECT_EQ(seen.what, r.what) << r.body.message;
    EXPECT_EQ(seen.counts, r.counts) << r.body.message;
    EXPECT_EQ(seen.over, r.over) << r.body.message;
  }
}

/// What a 429 of each provider means: the sentence that it sends, the headers beside it, and how long to wait.
TEST(Refusal, OfManyProviders) {
  struct row {
    const char* who;
    error_fields body;
    std::vector<header_field> headers;
    kind what;
    std::optional<resource> counts;
    std::optional<window> over;
    std::optional<duration> wait;
  };
  row const rows[] = {
      {"OpenAI",
       {"Rate limit reached for m in organization o on requests per min (RPM): Limit 3, Used 3, Requested 1. Please "
        "try "
        "again in 20s. Visit https://provider.example/account/rate-limits. You can increase your rate limit by adding "
        "a "
        "payment method to your account at https://provider.example/account/billing.",
        "requests", "rate_limit_exceeded"},
       {},
       kind::quota,
       resource::requests,
       window::minute,
       20s},
      {"OpenAI, too large",
       {"Request too large for m in organization o on tokens per min (TPM): Limit 30000, Requested 41000. The input or "
        "output tokens must be reduced in order to run successfully.",
        "tokens", "rate_limit_exceeded"},
       {},
       kind::too_large,
       resource::tokens,
       window::minute,
       std::nullopt},
      {"Groq, a day",
       {"Rate limit reached for model `m` on tokens per day (TPD): Limit 100000, Used 99000, Requested 1500. Please "
        "try "
        "again in 7m12s. Need more tokens? Upgrade today at https://provider.example/settings/billing",
        "tokens", "rate_limit_exceeded"},
       {{"retry-after", "432"}},
       kind::quota,
       resource::tokens,
       window::day,
       432s},
      {"Gemini",
       {"You exceeded your current quota, please check your plan and billing details.", "", "429", "37s"},
       {},
       kind::quota,
       std::nullopt,
       std::nullopt,
       37s},
      {"OpenRouter",
       {"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", "",
        "429"},
       {{"X-RateLimit-Limit", "50"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1764000060000"}},
       kind::quota,
       resource::requests,
       window::day,
       60s},
      {"GitHub Models, in progress",
       {"Rate limit of 5 per 0s exceeded for UserConcurrentRequests. Please wait 0 seconds before retrying.", "",
        "RateLimitReached"},
       {{"x-ratelimit-type", "UserConcurrentRequests"}},
       kind::load,
       std::nullopt,
       std::nullopt,
       0s},
      {"GitHub Models, a day",
       {"Rate limit of 50 per 86400s exceeded for UserByDay. Please wait 30000 seconds before retrying.", "",
        "RateLimitReached"},
       {{"x-ratelimit-type", "UserByDay"}},
       kind::quota,
       resource::requests,
       window::day,
       30'000s},
      {"Azure",
       {"", "", "429"},
       {{"x-ratelimit-type", "Tokens"}, {"retry-after", "1"}},
       kind::quota,
       resource::tokens,
       {},
       1s},
      {"Anthropic",
       {"This request would exceed your organization's rate limit of 50 requests per minute.", "rate_limit_error", ""},
       {{"retry-after", "11"}},
       kind::quota,
       resource::requests,
       window::minute,
       11s},
      {"Mistral", {"Requests rate limit exceeded", "rate_limited", "1300"}, {}, kind::quota, {}, {}, {}},
      {"Cohere",
       {"You are using a Trial key, which is limited to 20 API calls / minute.", "", ""},
       {},
       kind::quota,
       resource::requests,
       window::minute,
       std::nullopt},
      {"Z.ai",
       {"API concurrency limit reached, please reduce the number of requests", "", "1302"},
       {},
       kind::load,
       {},
       {},
       {}},
      {"NVIDIA", {"Too Many Requests", "", ""}, {}, kind::load, resource::requests, window::minute, {}},
      {"DeepSeek",
       {"You are sending requests too quickly.", "", ""},
       {},
       kind::load,
       resource::requests,
       window::minute,
       {}},
      {"a spent budget",
       {"You have reached your monthly spending limit. Try again in 12 days.", "", "enforced_spend_limit_reached"},
       {},
       kind::incurable,
       {},
       {},
       24h * 12},
      {"told not to, with a time",
       {"", "", "rate_limit_exceeded"},
       {{"x-should-retry", "false"}, {"retry-after", "3"}},
       kind::quota,
       {},
       {},
       3s},
      {"told not to, without one",
       {"", "", "rate_limit_exceeded"},
       {{"x-should-retry", "false"}},
       kind::incurable,
       {},
       {},
       {}},
  };
  for (auto const& r : rows) {
    auto const seen = classify_refusal(r.body, r.headers, now);
    EXPECT_EQ(seen.what, r.what) << r.who;
    EXPECT_EQ(seen.counts, r.counts) << r.who;
    EXPECT_EQ(seen.over, r.over) << r.who;
    EXPECT_EQ(seen.retry_after, r.wait) << r.who;
  }
  EXPECT_EQ(classify_refusal(rows[1].body, {}, now).limit, 30'000U);
}

TEST(Refusal, OnlyTokensBeyondALimitThatNoWaitRestoresAreTooLarge) {
  auto const seen = [](std::string_view text) { return classify_refusal({text, "", "rate_limit_exceeded"}, {}, now); };
  EXPECT_EQ(seen("Request too large on tokens per min: Limit 30k, Requested 41k.").what, kind::too_large);
  for (auto const* const text :
       {"on tokens per min (TPM): Limit 30k, Used 29k, Requested 1500. Please try again in 3s.",
        "60 requests per minute and 100,000 tokens per minute; limit 60, requested 5000 tokens. Try again in 1s.",
        "Limit 5 images per minute, Requested 8 images", "Requests per hour: limit: 0. Requested 1.",
        "on tokens per min: Limit 30.000, Requested 41.000"})
    EXPECT_EQ(seen(text).what, kind::quota) << text;
  EXPECT_TRUE(seen("on tokens per min: Limit 2000, Used 1500, Requested 700.").fits);
  EXPECT_FALSE(seen("on tokens per min: Limit 2000, Used 1500.").fits);
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
