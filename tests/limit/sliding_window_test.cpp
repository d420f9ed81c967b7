#include "cooldown/limit/sliding_window.hpp"

#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

TEST(SlidingWindow, CountsWhatWasWithinTheLastMinute) {
  sliding_window w(100, 60s);
  w.record(60, start);
  EXPECT_EQ(w.ready_at(40, start), start);
  EXPECT_EQ(w.used(start + 60s), 60);
  EXPECT_EQ(w.used(start + 62s), 0);
}

TEST(SlidingWindow, SaysWhenThereIsRoom) {
  sliding_window w(100, 60s);
  w.record(60, start);
  w.record(40, start + 30s);
  auto const now = start + 31s;
  auto const ready = w.ready_at(50, now);
  EXPECT_GT(ready, start + 60s);
  EXPECT_LE(ready, start + 61s);
  auto const all = w.ready_at(100, now);
  EXPECT_GT(all, start + 90s);
  EXPECT_LE(all, start + 91s);
  // More than the whole limit: when nothing else is counted.
  EXPECT_EQ(w.ready_at(1000, now), all);
  EXPECT_EQ(w.ready_at(50, ready - 1ns), ready);
  EXPECT_EQ(w.ready_at(50, ready), ready);
}

TEST(SlidingWindow, TakesBackWhatWasTooMuch) {
  sliding_window w(100, 60s);
  w.record(100, start);
  w.give_back(70, start, start + 10s);
  EXPECT_EQ(w.used(start + 10s), 30);
  w.give_back(1000, start, start + 10s);
  EXPECT_EQ(w.used(start + 10s), 0);
  w.give_back(10, start, start + 10min);  // long gone
  EXPECT_EQ(w.used(start + 10min), 0);
}

TEST(SlidingWindow, NeverCountsTooLittle) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> ms(0, 3000);
  std::uniform_int_distribution<int> amount(1, 10);
  sliding_window w(1e9, 60s);
  std::deque<std::pair<time_point, int>> exact;
  auto now = start;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::milliseconds{ms(random)};
    int const n = amount(random);
    w.record(n, now);
    exact.emplace_back(now, n);
    while (exact.front().first <= now - 60s) exact.pop_front();
    double sum = 0;
    for (auto const& e : exact) sum += e.second;
    EXPECT_GE(w.used(now), sum);
  }
}

}  // namespace
}  // namespace cooldown
