// When a window is believed to end: neither a Retry-After nor refusals at its end move that for long.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// Used up at `at`.
budget used_up(refill model, std::optional<refill> pinned, std::optional<duration> reset, time_point at) {
  budget b(30'000, 60s, model, at, {.pinned = pinned});
  auto const m = b.take(30'000, at);
  b.observe(m, 30'000, {.limit = 30'000, .remaining = 0, .reset = reset}, at, at + 50ms, 0, fate::charged);
  return b;
}

/// A probe at the window's end is refused. Returns when it was.
time_point refused_at_the_end(budget& b, std::optional<duration> retry_after, time_point now) {
  auto const at = b.ready_at(1000, now);
  auto const m = b.take(1000, at);
  b.refused(m, 1000, 1, retry_after, 0, at, at + 50ms);
  return at + 50ms;
}

TEST(WindowEnd, ARetryAfterIsNoLongerThanTheWindow) {
  auto b = used_up(refill::window, {}, 10s, start);
  auto const at = refused_at_the_end(b, 24h, start + 1s);
  ASSERT_TRUE(b.next_reset());
  EXPECT_LE(*b.next_reset(), at + 60s);
}

TEST(WindowEnd, RefusalsAtItMoveItWithinTheWindow) {
  auto b = used_up(refill::continuous, refill::window, {}, start);
  auto now = start + 1s;
  for (int i = 0; i < 200; ++i) now = refused_at_the_end(b, {}, now);
  EXPECT_LT(b.save(now).phase, 60s);
  budget restored(30'000, 60s, refill::continuous, now, {.pinned = refill::window});
  EXPECT_TRUE(restored.restore(b.save(now), now));
}

TEST(WindowEnd, ThatItIsLateIsForgotten) {
  auto b = used_up(refill::continuous, refill::window, {}, start);
  auto now = refused_at_the_end(b, {}, start + 1s);
  EXPECT_EQ(b.save(now).phase, 500ms);
  for (int i = 0; i < 300; ++i) b.level(now += 60s);
  EXPECT_EQ(b.save(now).phase, 0s);
}

struct WhatSeemedAWindow : ::testing::Test {
  void admitted(double n, std::uint64_t remaining, duration at, unsigned overlap = 0) {
    auto const m = b.take(n, start + at);
    b.observe(m, n, {.limit = 30'000, .remaining = remaining, .reset = {}}, start + at, start + at + 50ms, overlap,
              fate::charged);
  }
  void refused(double n, duration at) {
    b.level(start + at);
    b.refused(b.take(n, start + at), n, 1, std::nullopt, 0, start + at, start + at + 50ms);
  }
  /// By a log that was refuted, and an end at which everything was there.
  void SetUp() override {
    admitted(15'000, 15'000, 0s);
    refused(18'000, 20s);
    for (auto at = 50s; at < 55s; at += 1s) admitted(400, 28'000, at, 10);
    refused(29'000, 60s);
    b.level(start + 121s);
    admitted(1'000, 29'000, 122s);
    ASSERT_EQ(b.believed(), belief::doubted_window);
    admitted(16'000, 13'000, 150s);
  }
  budget b{30'000, 60s, refill::continuous, start, {}};
};

TEST_F(WhatSeemedAWindow, IsALogWhereTwoEndsInARowBringTooLittle) {
  refused(20'000, 182s);
  EXPECT_EQ(b.believed(), belief::doubted_window) << "clocks differ";
  admitted(16'000, 13'000, 215s);
  refused(20'000, 245s);
  EXPECT_EQ(b.believed(), belief::suspected_sliding);
}

TEST_F(WhatSeemedAWindow, StaysOneWhereALogWouldHaveHadRoom) {
  refused(10'000, 182s);
  refused(10'000, 245s);
  EXPECT_EQ(b.believed(), belief::doubted_window);
}

}  // namespace
}  // namespace cooldown
