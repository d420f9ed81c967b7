#include "cooldown/limit/hidden_limit.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

hidden_limit::meeting meets(double spent, time_point now, double used = 0) {
  return {.n = 1, .spent = spent, .undecided = 0, .used = used, .oldest = start, .sent = now, .now = now};
}

TEST(HiddenLimit, OneRefusalSaysWhenItWasUsedUpNotHowLargeItIs) {
  hidden_limit l(300, 60s);
  EXPECT_FALSE(l.learned());
  EXPECT_FALSE(l.met(meets(5, start + 1s, 5), false));
  EXPECT_TRUE(l.learned());
  EXPECT_EQ(l.value(), 300);
  EXPECT_TRUE(l.met_since(start + 1s));
  EXPECT_FALSE(l.met_since(start + 2s));
}

TEST(HiddenLimit, WhatComesInBetweenTwoRefusalsLowersIt) {
  hidden_limit l(300, 60s);
  l.met(meets(10, start), false);
  l.met(meets(50, start + 1min, 40), false);
  EXPECT_EQ(l.value(), 40);
}

TEST(HiddenLimit, AHeadersValueIsLeftAlone) {
  hidden_limit l(300, 60s);
  l.met(meets(10, start), true);
  l.met(meets(50, start + 1min, 40), true);
  EXPECT_EQ(l.value(), 300);
}

TEST(HiddenLimit, AnotherConfigurationForgetsWhatWasLearned) {
  hidden_limit l(300, 60s);
  l.met(meets(10, start), false);
  l.configure(100);
  EXPECT_EQ(l.value(), 100);
  EXPECT_FALSE(l.learned());
}

}  // namespace
}  // namespace cooldown
