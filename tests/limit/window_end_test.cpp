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

}  // namespace
}  // namespace cooldown
