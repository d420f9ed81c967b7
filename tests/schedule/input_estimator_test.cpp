// Estimates of inputs: characters by kind, images, and how both are learned.
#include "cooldown/schedule/input_estimator.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

request_size prose(std::uint64_t chars) {
  return {.input_chars = chars};
}

request_size other(std::uint64_t chars) {
  return {.input_chars = chars, .input_kinds = {.code = 0, .other = chars, .dense = 0}};
}

TEST(InputEstimator, AnotherScriptMakesNoProseOrCodeDearer) {
  input_estimator e;
  request_size const code{.input_chars = 80'000, .input_kinds = {.code = 70'000, .other = 0, .dense = 0}};
  for (int i = 0; i < 50; ++i) e.observe(code, 18'000);
  auto const before = e.tokens(code);
  for (int i = 0; i < 20; ++i) e.observe(other(320), 320);
  EXPECT_NEAR(e.tokens(other(10'000)), 10'000, 200);
  EXPECT_EQ(e.tokens(code), before);
}

TEST(InputEstimator, OneSentenceOfAnotherScriptInAPromptHardlyMovesTheRest) {
  input_estimator e;
  for (int i = 0; i < 50; ++i) e.observe(prose(10'000), 2'500);
  e.observe({.input_chars = 10'100, .input_kinds = {.code = 0, .other = 100, .dense = 0}}, 2'600);
  EXPECT_NEAR(e.tokens(prose(100'000)), 25'000, 500);
}

TEST(InputEstimator, OneTextThatIsDearMovesARatioByASmallStep) {
  for (auto const dear : {2'900, 9'000, 40'000}) {
    input_estimator e;
    for (int i = 0; i < 50; ++i) e.observe(prose(10'000), 2'500);
    e.observe(prose(10'000), static_cast<std::uint64_t>(dear));
    EXPECT_LT(e.tokens(prose(100'000)), 26'500) << dear << ": perhaps an error of whoever counted";
  }
}

TEST(InputEstimator, TwoTextsInARowThatAreDearAreBelievedAsFarAsTheyAgree) {
  input_estimator e;
  for (int i = 0; i < 50; ++i) e.observe(prose(10'000), 2'500);
  e.observe(prose(10'000), 40'000);
  e.observe(prose(10'000), 9'000);
  EXPECT_NEAR(e.tokens(prose(100'000)), 90'000, 100) << "what refuses costs more than what waits";
}

TEST(InputEstimator, OneOfTenThatLiesIsNotBelieved) {
  input_estimator e;
  for (int i = 0; i < 200; ++i) e.observe(prose(10'000), i % 10 == 9 ? 40'000 : 2'500);
  EXPECT_LT(e.tokens(prose(100'000)), 27'000);
}

TEST(InputEstimator, ImagesAreLearnedToo) {
  input_estimator e;
  request_size const pictures{.input_chars = 0, .images = 4};
  EXPECT_NEAR(e.tokens(pictures), 4'008, 1);
  e.observe(pictures, 340);
  EXPECT_NEAR(e.tokens(pictures), 350, 10);
  EXPECT_LE(e.least(pictures), 200);
}

TEST(InputEstimator, TheLeastForgetsATextThatWasCheap) {
  input_estimator e;
  e.observe(prose(10'000), 500);  // blanks
  EXPECT_LE(e.least(prose(100'000)), 5'100);
  for (int i = 0; i < 300; ++i) e.observe(prose(10'000), 2'500);
  EXPECT_GE(e.least(prose(100'000)), 9'900);
}

TEST(InputEstimator, AProviderThatBeginsToCountMoreIsFollowedUpAndDown) {
  input_estimator e;
  for (int i = 0; i < 50; ++i) e.observe(prose(10'000), 2'500);
  for (int i = 0; i < 10; ++i) e.observe(prose(10'000), 5'000);
  EXPECT_NEAR(e.tokens(prose(10'000)), 5'000, 100);
  for (int i = 0; i < 200; ++i) e.observe(prose(10'000), 2'500);
  EXPECT_NEAR(e.tokens(prose(10'000)), 2'500, 100);
}

}  // namespace
}  // namespace cooldown
