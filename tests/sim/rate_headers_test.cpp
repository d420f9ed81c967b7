#include "cooldown/sim/rate_headers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> lines(header_style style, const std::vector<quota_reading>& readings) {
  std::vector<std::string> out;
  for (const auto& each : render_headers(style, readings)) out.push_back(each.name + ": " + each.value);
  return out;
}

// The free trial's limits, after one request that reserved 16,619 + 376 tokens: the live captures.
std::vector<quota_reading> after_first_request(refill_rule refill, double total_factor, nanoseconds wall = 0s) {
  model_limits limits;
  limits.rpm = 5;
  limits.rph = 150;
  limits.rpd = 2400;
  limits.tpm = 30000;
  limits.tph = 1000000;
  limits.tpd = 1000000;
  limits.total_factor = total_factor;
  quota_rules rules;
  rules.refill = refill;
  rules.wall_at_epoch = wall;
  model_quota quota{limits, rules};
  return std::get<admitted>(quota.admit({235, 0, 16384}, 0s)).readings;
}

TEST(render_headers, plain_shows_all_six_without_reset) {
  EXPECT_THAT(lines(header_style::plain, after_first_request(refill_rule::bucket, 0)),
              ElementsAre("x-ratelimit-limit-requests-minute: 5", "x-ratelimit-remaining-requests-minute: 4",
                          "x-ratelimit-limit-requests-hour: 150", "x-ratelimit-remaining-requests-hour: 149",
                          "x-ratelimit-limit-requests-day: 2400", "x-ratelimit-remaining-requests-day: 2399",
                          "x-ratelimit-limit-tokens-minute: 30000", "x-ratelimit-remaining-tokens-minute: 13381",
                          "x-ratelimit-limit-tokens-hour: 1000000", "x-ratelimit-remaining-tokens-hour: 983381",
                          "x-ratelimit-limit-tokens-day: 1000000", "x-ratelimit-remaining-tokens-day: 983381"));
}

TEST(render_headers, two_buckets_shows_the_hours_total_beside_its_uncached_limit) {
  const auto shown = lines(header_style::two_buckets, after_first_request(refill_rule::bucket, 3));
  EXPECT_THAT(shown, testing::Contains("x-ratelimit-limit-tokens-hour: 1000000"));
  EXPECT_THAT(shown, testing::Contains("x-ratelimit-remaining-tokens-hour: 2983381"));
  EXPECT_THAT(shown, testing::Contains("x-ratelimit-remaining-tokens-minute: 13381"));
  EXPECT_EQ(shown.size(), 12U);
}

TEST(render_headers, resets_shows_the_documented_two_as_in_the_documentation) {
  const auto wall = 1'760'021'388s + 617'132'903ns;
  EXPECT_THAT(lines(header_style::resets, after_first_request(refill_rule::window, 0, wall)),
              ElementsAre("x-ratelimit-limit-requests-day: 2400", "x-ratelimit-remaining-requests-day: 2399",
                          testing::StartsWith("x-ratelimit-reset-requests-day: 33011.38286709"),
                          "x-ratelimit-limit-tokens-minute: 30000", "x-ratelimit-remaining-tokens-minute: 13381",
                          testing::StartsWith("x-ratelimit-reset-tokens-minute: 11.38286709")));
}

TEST(render_headers, resets_of_a_bucket_is_the_time_to_full) {
  const auto shown = lines(header_style::resets, after_first_request(refill_rule::bucket, 0));
  EXPECT_EQ(shown[2], "x-ratelimit-reset-requests-day: 36.000000000000000");
  EXPECT_EQ(shown[5], "x-ratelimit-reset-tokens-minute: 33.238000000000000");
}

TEST(render_headers, resets_of_a_sliding_log_is_when_the_oldest_entry_leaves) {
  const auto shown = lines(header_style::resets, after_first_request(refill_rule::sliding, 0));
  EXPECT_EQ(shown[2], "x-ratelimit-reset-requests-day: 86400.000000000000");
  EXPECT_EQ(shown[5], "x-ratelimit-reset-tokens-minute: 60.000000000000000");
}

TEST(render_headers, all_resets_shows_eighteen_and_none_nothing) {
  const auto readings = after_first_request(refill_rule::bucket, 3);
  EXPECT_EQ(lines(header_style::all_resets, readings).size(), 18U);
  EXPECT_THAT(lines(header_style::none, readings), IsEmpty());
}

TEST(reset_text, has_seventeen_digits_and_never_an_exponent) {
  EXPECT_EQ(reset_text(0s), "0.0000000000000000");
  EXPECT_EQ(reset_text(1ns), "0.0000000010000000");
  EXPECT_EQ(reset_text(45'500ms), "45.500000000000000");
  EXPECT_EQ(reset_text(24h), "86400.000000000000");
}

TEST(quota_error, has_the_words_of_the_api) {
  const auto requests = quota_error(resource::requests, window::minute, false);
  EXPECT_EQ(requests.message, "Requests per minute limit exceeded - too many requests sent.");
  EXPECT_EQ(requests.type, "too_many_requests_error");
  EXPECT_EQ(requests.code, "request_quota_exceeded");
  EXPECT_EQ(requests.param, "quota");
  const auto tokens = quota_error(resource::tokens, window::day, false);
  EXPECT_EQ(tokens.message, "Tokens per day limit exceeded - too many tokens processed.");
  EXPECT_EQ(tokens.type, "too_many_tokens_error");
  EXPECT_EQ(tokens.code, "token_quota_exceeded");
  EXPECT_EQ(quota_error(resource::tokens, window::hour, true).message,
            "Uncached tokens per hour limit exceeded - too many tokens processed.");
  EXPECT_EQ(quota_error(resource::total_tokens, window::hour, true).message,
            "Total tokens per hour limit exceeded - too many tokens processed.");
}

}  // namespace
}  // namespace cooldown::sim
