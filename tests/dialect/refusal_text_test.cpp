#include "cooldown/dialect/refusal_text.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using enum resource;
constexpr auto minute = window::minute;
constexpr auto hour = window::hour;
constexpr auto day = window::day;

TEST(RefusalText, WhichLimitInTheWordsOfManyProviders) {
  struct row {
    const char* text;
    std::optional<resource> counts;
    std::optional<window> over;
  };
  row const rows[] = {
      {"Tokens per minute limit exceeded - too many tokens processed.", tokens, minute},
      {"Requests per hour limit exceeded", requests, hour},
      {"Rate limit reached for m in organization o on tokens per min (TPM): Limit 9, Used 8, Requested 2.", tokens,
       minute},
      {"Rate limit reached for m on requests per min. Limit: 3 / min.", requests, minute},
      {"Rate limit reached for model `m` on requests per day (RPD): Limit 1000, Used 1000, Requested 1", requests, day},
      {"on tokens per day (TPD): Limit 100000", tokens, day},
      {"You hit the TPM limit", tokens, minute},
      {"RPH exceeded", requests, hour},
      {"output tokens per minute (OTPM): Limit 1000", output_tokens, minute},
      {"on input tokens per minute (ITPM): Limit 1000", input_tokens, minute},
      {"would exceed your rate limit of 8,000 output tokens per minute", output_tokens, minute},
      {"1,000 requests per 10 seconds", requests, window::of(10s)},
      {"Monthly limit: 1000 calls per month", requests, window::month},
      {"Rate limit exceeded: free-models-per-day. Add 10 credits", std::nullopt, day},
      {"You are using a trial key, which is limited to 20 API calls / minute.", requests, minute},
      {"Too many: 15 requests/min", requests, minute},
      {"Rate limit of 50 per 86400s exceeded for UserByDay", std::nullopt, day},
      {"Rate limit of 15 per 60s exceeded", std::nullopt, minute},
      {"total tokens per hour limit exceeded", total_tokens, hour},
      {"See https://provider.example/day/limits and /hour", std::nullopt, std::nullopt},
      {"for `simplescaling/s1-32B` on tokens per day (TPD)", tokens, day},
      {"Rate limit reached for `x/m-7b`", std::nullopt, std::nullopt},
      {"OPPS, STRPM and the person permanently MARPMS", std::nullopt, std::nullopt},
      {"", std::nullopt, std::nullopt},
  };
  for (auto const& r : rows) {
    auto const seen = read_refusal_text(r.text);
    EXPECT_EQ(seen.counts, r.counts) << r.text;
    EXPECT_EQ(seen.over, r.over) << r.text;
  }
}

TEST(RefusalText, Figures) {
  auto const r = read_refusal_text("TPM: Limit 30,000, Used 29000, Requested 1500. Please try again in 1.02s.");
  EXPECT_EQ(r.limit, 30'000U);
  EXPECT_EQ(r.requested, 1'500U);
  EXPECT_EQ(r.wait, 1'020ms);
  EXPECT_EQ(read_refusal_text("limit exceeded. Limit: 12").limit, 12U);
  EXPECT_EQ(read_refusal_text("Rate limit of 5 per 0s exceeded").limit, 5U);
  EXPECT_EQ(read_refusal_text("limited to 20 calls").limit, 20U);
  EXPECT_EQ(read_refusal_text("Limit 99999999999999999999").limit, std::nullopt);
  EXPECT_EQ(read_refusal_text("no limit").limit, std::nullopt);
  EXPECT_EQ(read_refusal_text("Limit 30k, Used 29k").limit, 30'000U);
  EXPECT_EQ(read_refusal_text("Limit 1.5M, Requested 200000").limit, 1'500'000U);
  EXPECT_EQ(read_refusal_text("Limit 30.000, Requested 41.000").limit, std::nullopt) << "thirty, or thirty thousand";
  EXPECT_EQ(read_refusal_text("Limit 30th").limit, std::nullopt);
  EXPECT_EQ(read_refusal_text("Limit 99999999999M").limit, std::nullopt);
}

TEST(RefusalText, TimesToComeAgain) {
  struct row {
    const char* text;
    std::optional<duration> wait;
  };
  row const rows[] = {
      {"Please try again in 20s.", 20s},
      {"Please try again in 370ms. Visit", 370ms},
      {"try again in 6m0s", 6min},
      {"Try again in 2h3m4.5s.", 2h + 3min + 4500ms},
      {"Please retry in 36.947s.", 36'947ms},
      {"retry after 5", 5s},
      {"Please wait 30 seconds before sending another request", 30s},
      {"please wait for 1 minute and 30 seconds", 90s},
      {"try again in 1 hour, 2 minutes", 62min},
      {"Please try again in 5 minutes.", 5min},
      {"Please try again later", std::nullopt},
      {"try again in a moment", std::nullopt},
      {"try again in -5 seconds", std::nullopt},
      {"try again in 99999999 hours", std::nullopt},
      {"try again in 1e400 s", std::nullopt},
      {"Please try again in 23 hrs.", 23h},
      {"try again in 1 hr", 1h},
      {"try again in 2 weeks", 24h * 14},
      {"Please wait 1,500 seconds", 1'500s},
      {"Please retry after 2026-11-30T13:00:00Z", std::nullopt},
      {"try again after 10:30 PM", std::nullopt},
      {"please wait for 3 other requests to finish", std::nullopt},
      {"try again in 1 hour 3 of 5", 1h},
  };
  for (auto const& r : rows) EXPECT_EQ(read_refusal_text(r.text).wait, r.wait) << r.text;
}

TEST(RefusalText, RequestsInProgress) {
  EXPECT_TRUE(read_refusal_text("Rate limit of 5 per 0s exceeded for UserConcurrentRequests").at_once);
  EXPECT_TRUE(read_refusal_text("Too many concurrent requests").at_once);
  EXPECT_TRUE(read_refusal_text("API concurrency limit reached").at_once);
  EXPECT_FALSE(read_refusal_text("Too many requests").at_once);
  EXPECT_FALSE(read_refusal_text("(TPM): Limit 9. Consider fewer concurrent requests.").at_once) << "advice";
  EXPECT_FALSE(read_refusal_text("for `simplescaling/s1-32B` on TPD").per_second);
  EXPECT_TRUE(read_refusal_text("Requests per second limit exceeded").per_second);
  EXPECT_TRUE(read_refusal_text("10 requests/s").per_second);
}

}  // namespace
}  // namespace cooldown
