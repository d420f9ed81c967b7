#include "cooldown/dialect/unnamed_window.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

limit_snapshot reading(std::uint64_t limit, std::uint64_t remaining, duration reset) {
  return {.limit = limit, .remaining = remaining, .reset = reset};
}

TEST(UnnamedWindow, IsAMinuteUntilThreeReadingsTellBetter) {
  unnamed_window w;
  EXPECT_EQ(w.over(), window::minute);
  EXPECT_FALSE(w.observe(reading(14'400, 14'369, 186s)));
  EXPECT_FALSE(w.observe(reading(14'400, 14'368, 192s)));
  EXPECT_TRUE(w.observe(reading(14'400, 14'360, 240s)));
  EXPECT_EQ(w.over(), window::day);
  EXPECT_FALSE(w.observe(reading(14'400, 14'359, 246s))) << "it is that already";
}

TEST(UnnamedWindow, MinutesStayMinutes) {
  unnamed_window w;
  for (int used = 100; used < 500; used += 7) {
    auto const left = static_cast<std::uint64_t>(500 - used);
    EXPECT_FALSE(w.observe(reading(500, left, 120ms * used))) << used;
  }
  EXPECT_EQ(w.over(), window::minute);
}

TEST(UnnamedWindow, WhatSaysNothingIsLeftOut) {
  unnamed_window w;
  for (int i = 0; i < 9; ++i) {
    EXPECT_FALSE(w.observe(reading(100, 100, 0s)));
    EXPECT_FALSE(w.observe(reading(100, 120, 3s)));
    EXPECT_FALSE(w.observe({.limit = 100, .remaining = 50, .reset = std::nullopt}));
    EXPECT_FALSE(w.observe({.limit = std::nullopt, .remaining = 50, .reset = 3s}));
    EXPECT_FALSE(w.observe(reading(1'000'000, 999'999, 1s))) << "rounded up to a second";
    EXPECT_FALSE(w.observe(reading(30, 10, 7s))) << "until the end of a window, not until it is full";
  }
  EXPECT_EQ(w.over(), window::minute);
}

TEST(UnnamedWindow, OneThatDisagreesStartsTheCountAnew) {
  unnamed_window w;
  for (int i = 0; i < 9; ++i) {
    EXPECT_FALSE(w.observe(reading(1'000, 500, 12h)));
    EXPECT_FALSE(w.observe(reading(1'000, 500, 12h)));
    EXPECT_FALSE(w.observe(reading(1'000, 500, 30s)));
  }
}

}  // namespace
}  // namespace cooldown
