#include "cooldown/dialect/dialect.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using fields = std::vector<header_field>;

TEST(Dialect, IsKnownByTheHost) {
  EXPECT_EQ(dialect_of_host("api.groq.com"), dialect::groq);
  EXPECT_EQ(dialect_of_host("MY-NAME.openai.azure.com"), dialect::azure);
  EXPECT_EQ(dialect_of_host("api.openai.com"), dialect::openai);
  EXPECT_EQ(dialect_of_host("notgroq.com"), dialect::automatic);
  EXPECT_EQ(dialect_of_host("groq.com.example"), dialect::automatic);
  EXPECT_EQ(dialect_of_host("127.0.0.1"), dialect::automatic);
}

TEST(Dialect, IsKnownByWhatAnswersShow) {
  auto const of = [](const char* name) { return dialect_of_headers(fields{{"content-type", "x"}, {name, "1"}}); };
  EXPECT_EQ(of("Anthropic-RateLimit-Tokens-Limit"), dialect::anthropic);
  EXPECT_EQ(of("x-ratelimit-renewalperiod-requests"), dialect::azure);
  EXPECT_EQ(of("x-groq-region"), dialect::groq);
  EXPECT_EQ(of("x-ratelimit-limit-req-minute"), dialect::mistral);
  EXPECT_EQ(of("x-ratelimit-limit-tokens-minute"), dialect::cerebras);
  EXPECT_EQ(of("x-ratelimit-limit-tokens"), dialect::openai);
  EXPECT_EQ(of("RateLimit-Policy"), dialect::ietf);
  EXPECT_EQ(of("server"), dialect::automatic);
}

TEST(Dialect, NamesAreThoseOfTheConfiguration) {
  for (std::size_t i = 0; i < dialect_count; ++i) {
    auto const d = static_cast<dialect>(i);
    EXPECT_EQ(dialect_named(name_of(d)), d);
  }
  EXPECT_FALSE(dialect_named("grok"));
}

TEST(Dialect, ZeroAsTheResetOfWhatIsNotFullMeansUnknown) {
  auto const of = [](const fields& f) {
    return std::get<rate_limit_snapshot>(parse_rate_limit_headers(f, {})).at(resource::tokens, window::minute);
  };
  EXPECT_FALSE(of({{"x-ratelimit-limit-tokens", "100"},
                   {"x-ratelimit-remaining-tokens", "0"},
                   {"x-ratelimit-reset-tokens", "0"}})
                   .reset);
  EXPECT_EQ(of({{"x-ratelimit-limit-tokens", "100"},
                {"x-ratelimit-remaining-tokens", "100"},
                {"x-ratelimit-reset-tokens", "0s"}})
                .reset,
            duration::zero());
}

TEST(Dialect, ARenewalPeriodIsTheWindow) {
  auto const read = parse_rate_limit_headers(fields{{"x-ratelimit-limit-requests", "9000"},
                                                    {"x-ratelimit-remaining-requests", "8999"},
                                                    {"x-ratelimit-renewalperiod-requests", "10"}},
                                             {});
  auto const ten = window::of(std::chrono::seconds{10});
  auto const shown = std::get<rate_limit_header_error>(read).rest.at(resource::requests, *ten);
  EXPECT_EQ(shown.limit, 9'000U);
  EXPECT_FALSE(shown.unnamed);
}

}  // namespace
}  // namespace cooldown
