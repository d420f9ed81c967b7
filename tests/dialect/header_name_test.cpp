#include "cooldown/dialect/header_name.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using enum resource;
using enum header_item;

TEST(HeaderName, TellsWhatItIsAboutInWhateverOrder) {
  struct row {
    const char* name;
    header_meaning means;
  };
  row const rows[] = {
      {"x-ratelimit-remaining-tokens-minute", {remaining, tokens, window::minute}},
      {"X-RateLimit-Limit-Requests-Day", {limit, requests, window::day}},
      {"x-ratelimit-limit-req-minute", {limit, requests, window::minute}},
      {"x-ratelimit-reset-requests", {reset, requests, {}}},
      {"x-ratelimit-remaining-project-tokens", {remaining, tokens, {}}},
      {"x-ratelimit-renewalperiod-requests", {period, requests, {}}},
      {"anthropic-ratelimit-tokens-limit", {limit, tokens, window::minute}},
      {"anthropic-ratelimit-input-tokens-remaining", {remaining, input_tokens, window::minute}},
      {"anthropic-ratelimit-output-tokens-reset", {reset, output_tokens, window::minute}},
      {"x-ratelimit-limit-tokens-prompt", {limit, input_tokens, {}}},
      {"x-ratelimit-limit-tokens-generated", {limit, output_tokens, {}}},
      {"x-ratelimit-limit", {limit, requests, {}}},
      {"x-rate-limit-remaining", {remaining, requests, {}}},
      {"x-ratelimit-limit-minute", {limit, requests, window::minute}},
      {"x-tokenlimit-remaining", {remaining, tokens, {}}},
      {"x-trial-endpoint-call-remaining", {remaining, requests, window::minute}},
      {"x-endpoint-monthly-call-limit", {limit, requests, window::month}},
  };
  for (auto const& r : rows) EXPECT_EQ(meaning_of(r.name), r.means) << r.name;
}

TEST(HeaderName, WithAnUnknownWordItIsAboutSomethingElse) {
  for (auto const* const name :
       {"x-ratelimit-tokens-query-cost", "x-ratelimit-over-limit", "x-ratelimit-type", "x-ratelimit-key",
        "x-ratelimit-", "x-ratelimit-limit-tokens-cache-adjusted-prompt", "anthropic-ratelimit-unified-5h-reset",
        "content-length", "x-ratelimit-limit-limit", "x-ratelimit-limit-requests-minute-day", "x-request-id", ""})
    EXPECT_FALSE(meaning_of(name)) << name;
}

TEST(HeaderName, TheConfigurationCanNameWhatNobodyHasThoughtOf) {
  header_names const more{{"X-Quota-Left", *meaning_in_words("remaining requests 10s")}};
  EXPECT_EQ(meaning_of("x-quota-left", &more), (header_meaning{remaining, requests, window::of(10s)}));
  EXPECT_EQ(meaning_in_words("limit input tokens per minute"), (header_meaning{limit, input_tokens, window::minute}));
  EXPECT_EQ(meaning_in_words("reset requests"), (header_meaning{reset, requests, {}}));
  for (auto const* const wrong : {"", "remaining", "tokens minute", "remaining requests minute day",
                                  "remaining requests input", "left tokens", "limit tokens 100d", "limit tokens 1.5s"})
    EXPECT_FALSE(meaning_in_words(wrong)) << wrong;
  for (auto const* const words : {"remaining requests 10s", "limit input tokens minute", "reset requests"})
    EXPECT_EQ(in_words(*meaning_in_words(words)), words);
}

}  // namespace
}  // namespace cooldown
