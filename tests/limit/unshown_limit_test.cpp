// What refusals alone teach of a limit: its value, and what comes back of it.
#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// Forty requests are admitted at once, nobody has configured how many may be.
struct UnshownLimit : ::testing::Test {
  void SetUp() override {
    for (int i = 0; i < 40; ++i) admitted(0s);
  }
  void admitted(duration at) {
    auto const m = b.take(1, start + at);
    b.admitted(m, 1, start + at, start + at + 50ms);
  }
  void refused(duration at, std::optional<duration> retry_after = {}) {
    b.refused(b.take(1, start + at), 1, 1, retry_after, 0, start + at, start + at + 20ms);
  }
  bool has_room_for(double n, duration at) { return b.ready_at(n, start + at) <= start + at; }
  budget b{1e6, 60s, refill::continuous, start, {}};
};

TEST_F(UnshownLimit, WhatIsRefusedForLongIsWhatWasAdmittedBefore) {
  for (auto const at : {1s, 3s, 9s}) refused(at);
  EXPECT_EQ(b.limit(), 40);
  admitted(70s);
  EXPECT_EQ(b.believed(), belief::proven_sliding) << "everything had left the log";
  EXPECT_TRUE(has_room_for(38, 71s));
}

TEST_F(UnshownLimit, WhatComesBackWhileALogIsFullIsAWindow) {
  for (auto const at : {1s, 3s, 9s}) refused(at);
  admitted(20s);
  EXPECT_EQ(b.believed(), belief::proven_window);
  EXPECT_TRUE(has_room_for(39, 21s));
}

TEST_F(UnshownLimit, TheWordOfTheProviderCountsAsRefusalsUntilThen) {
  refused(1s, 22s);
  admitted(24s);
  EXPECT_EQ(b.limit(), 40);
  EXPECT_EQ(b.believed(), belief::proven_window);
}

TEST_F(UnshownLimit, AWholeWindowIsNobodysWord) {
  refused(1s, 59s);
  admitted(60s);
  EXPECT_EQ(b.limit(), 1e6);
}

TEST_F(UnshownLimit, ItsValueMayBeTold) {
  b.told(40);
  refused(1s);
  EXPECT_EQ(b.limit(), 40);
  refused(4s);
  EXPECT_EQ(b.believed(), belief::proven_sliding) << "a bucket would have had room for one";
  EXPECT_FALSE(has_room_for(1, 59s));
  EXPECT_TRUE(has_room_for(40, 61s));
}

TEST(ShownByRefusals, IsExceededOnceNothingHasBeenHeardForLong) {
  budget b(20, 60s, refill::window, start, {});
  auto const m = b.take(1, start);
  b.observe(m, 1, {.limit = 20, .remaining = 0, .reset = 30s}, start, start + 50ms, 0, fate::refused);
  EXPECT_TRUE(b.only_refusals_show());
  auto now = start + 31s;
  int most = 0;
  for (int window = 0; window < 8; ++window, now += 61s) {
    int sent = 0;
    for (auto at = now; b.ready_at(1, at) <= at; at += 10ms, ++sent) b.admitted(b.take(1, at), 1, at, at);
    if (window < 4) {
      EXPECT_EQ(sent, 20) << window;
    }
    most = std::max(most, sent);
  }
  EXPECT_GT(most, 20);
}

TEST(ResetOfAWindow, ThatHasJustBegunAndIsUsedUpIsNoTimeUntilFull) {
  budget b(60, 60s, refill::window, start, {});
  auto const shows = [&](duration at, std::uint64_t left, duration reset) {
    auto const m = b.take(1, start + at);
    b.observe(m, 1, {.limit = 60, .remaining = left, .reset = reset}, start + at, start + at + 50ms, 0, fate::charged);
  };
  shows(0s, 59, 30s);
  shows(1s, 58, 29s);
  for (std::uint64_t left = 60; left-- > 0;) shows(30s + 200ms, left, 60s);
  EXPECT_EQ(b.model(), refill::window);
}

}  // namespace
}  // namespace cooldown
