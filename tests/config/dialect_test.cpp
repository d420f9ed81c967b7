// `cerebras.dialect` and `cerebras.rate_limits.headers`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/support.hpp"

namespace cooldown::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::problems_of;
using testing::settings_of;

TEST(ConfigDialect, IsTheHostsUnlessItIsGiven) {
  EXPECT_EQ(settings_of("cerebras: {base_url: https://api.groq.com/openai/v1}").cerebras.speaks(), dialect::groq);
  EXPECT_EQ(settings_of("cerebras: {base_url: https://llm.example.com}").cerebras.speaks(), dialect::automatic);
  EXPECT_EQ(settings_of("cerebras: {dialect: mistral}").cerebras.speaks(), dialect::mistral);
  EXPECT_THAT(problems_of("cerebras: {dialect: grok}"), ElementsAre(HasSubstr("did you mean 'groq'")));
}

TEST(ConfigDialect, HeadersOfOtherNamesSayWhatTheyTell) {
  auto const s = settings_of(R"(
cerebras:
  rate_limits:
    headers:
      X-Quota-Left: remaining requests 10s
      X-Quota-Size: limit input tokens per minute
)");
  auto const& headers = s.cerebras.rate_limits.headers;
  ASSERT_EQ(headers.size(), 2U);
  EXPECT_EQ(headers[0].first, "X-Quota-Left");
  EXPECT_EQ(headers[0].second.over, window::of(std::chrono::seconds{10}));
  EXPECT_EQ(headers[1].second.counts, resource::input_tokens);
}

TEST(ConfigDialect, WhatAHeaderCannotTellIsAnError) {
  EXPECT_THAT(problems_of("cerebras: {rate_limits: {headers: {X-Quota: left}}}"),
              ElementsAre(HasSubstr("cerebras.rate_limits.headers.X-Quota: must be what the header tells")));
  EXPECT_THAT(problems_of("cerebras: {rate_limits: {headers: {'X Quota': remaining requests}}}"),
              ElementsAre(HasSubstr("is not the name of a header")));
  EXPECT_THAT(problems_of("cerebras: {rate_limits: {headers: [X-Quota]}}"),
              ElementsAre(HasSubstr("expected a map of header names")));
  EXPECT_THAT(problems_of("cerebras: {rate_limits: {headers: {X-Quota: [remaining, requests]}}}"),
              ElementsAre(HasSubstr("expected words, found a list")));
}

TEST(ConfigDialect, AHeaderIsNamedOnceInWhateverCase) {
  EXPECT_THAT(problems_of("cerebras:\n  rate_limits:\n    headers:\n      X-G: limit requests\n"
                          "      x-g: remaining tokens\n"),
              ElementsAre(AllOf(HasSubstr("f:5:7: cerebras.rate_limits.headers.x-g: "),
                                HasSubstr("is the header 'X-G' of line 4"))));
  EXPECT_THAT(problems_of("cerebras:\n  rate_limits:\n    headers:\n      X-G: limit requests\n"
                          "      X-G: remaining tokens\n"),
              ElementsAre(HasSubstr("duplicate key; first given at line 4")));
}

}  // namespace
}  // namespace cooldown::config
