// Forecasts of one limit.
#include "cooldown/limit/outlook.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

outlook::present limit_of(refill model, double level) {
  return {.model = model,
          .level = level,
          .capacity = 600,
          .rate = 10,
          .window = 1min,
          .window_end = start + 40s,
          .window_start = start - 20s};
}

TEST(Outlook, ABucketFillsAllTheTime) {
  outlook o(limit_of(refill::continuous, 100), start);
  EXPECT_EQ(o.ready_at(100), start);
  EXPECT_EQ(o.ready_at(200), start + 10s);
  EXPECT_EQ(o.ready_at(10'000), start + 50s) << "when all of it is there";
  o.take(200);
  o.advance(start + 10s);
  EXPECT_EQ(o.ready_at(100), start + 20s);
  o.give_back(50, start);
  EXPECT_EQ(o.ready_at(100), start + 15s);
}

TEST(Outlook, AWindowBringsEverythingAtItsEnd) {
  outlook o(limit_of(refill::window, 100), start);
  EXPECT_EQ(o.ready_at(200), start + 40s);
  o.advance(start + 40s);
  EXPECT_EQ(o.ready_at(600), start + 40s);
  o.take(600);
  o.give_back(100, start);  // of the window that is over
  EXPECT_EQ(o.ready_at(50), start + 100s);
  o.give_back(100, start + 40s);
  EXPECT_EQ(o.ready_at(50), start + 40s);
}

TEST(Outlook, OfASlidingLogEachPartComesBackAfterAWindow) {
  outlook o(limit_of(refill::sliding, 100), start);
  o.comes_back(300, start + 10s);
  o.comes_back(200, start + 30s);
  EXPECT_EQ(o.ready_at(400), start + 10s);
  EXPECT_EQ(o.ready_at(500), start + 30s);
  o.take(100);
  o.advance(start + 30s);
  EXPECT_EQ(o.ready_at(600), start + 60s);
  o.give_back(100, start);
  EXPECT_EQ(o.ready_at(600), start + 30s);
}

}  // namespace
}  // namespace cooldown
