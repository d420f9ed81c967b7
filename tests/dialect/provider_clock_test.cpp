// The provider's wall clock, estimated from its Date headers.
#include "cooldown/dialect/provider_clock.hpp"

#include <random>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr wall_time wall{std::chrono::hours{490'000}};
constexpr duration ours = wall.time_since_epoch() - start.time_since_epoch();

/// Date as a provider writes it whose clock is ahead of ours by `ahead`.
wall_time date(duration since_start, duration ahead) {
  return std::chrono::floor<std::chrono::seconds>(wall + since_start + ahead);
}

TEST(ProviderClock, BeforeAnyDateOurOwnClockIsAllThereIs) {
  provider_clock c;
  c.observe(std::nullopt, wall, start);
  EXPECT_EQ(c.offset(), ours);
  c.observe(std::nullopt, wall + 70s, start + 10s);  // ours was set
  EXPECT_EQ(c.offset(), ours + 60s);
}

TEST(ProviderClock, GoesOnByItselfWhenOursIsSet) {
  provider_clock c;
  c.observe(wall, wall, start);
  c.observe(std::nullopt, wall + 24h, start + 2s);
  EXPECT_EQ(c.at(start + 5s), wall + 5s);
}

TEST(ProviderClock, ADateCountsMoreThanOurOwnClock) {
  provider_clock c;
  c.observe(std::nullopt, wall, start);
  c.observe(wall - 3s, wall, start);
  EXPECT_EQ(c.offset(), ours - 3s);
  c.observe(std::nullopt, wall + 1h, start + 1s);
  EXPECT_EQ(c.offset(), ours - 3s);
}

TEST(ProviderClock, ConvergesToTheLatestThatAnyDateImplies) {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> travel_ms(5, 400);
  std::uniform_int_distribution<int> gap_ms(50, 2000);
  for (auto const ahead : {-2s, 0s, 3s}) {
    provider_clock c;
    duration sent{};
    auto last = duration::min();
    for (int i = 0; i < 300; ++i) {
      sent += std::chrono::milliseconds{gap_ms(random)};
      c.observe(date(sent, ahead), wall + sent, start + sent + std::chrono::milliseconds{travel_ms(random)});
      // Never ahead of the provider, and only nearer.
      EXPECT_LE(c.offset(), ours + ahead);
      EXPECT_GE(c.offset(), last);
      last = c.offset();
    }
    EXPECT_GE(c.offset(), ours + ahead - 100ms);
  }
}

TEST(ProviderClock, AnEarlierDateMovesNothing) {
  provider_clock c;
  c.observe(wall, wall, start);
  c.observe(wall, wall, start + 900ms);  // cut to the second, or long on its way
  EXPECT_EQ(c.offset(), ours);
  c.observe(wall, wall, start + 4s);
  EXPECT_EQ(c.offset(), ours);
}

TEST(ProviderClock, FollowsAClockThatIsSetForward) {
  provider_clock c;
  c.observe(wall, wall, start);
  c.observe(wall + 60s, wall, start);
  EXPECT_EQ(c.offset(), ours + 60s);
}

TEST(ProviderClock, FollowsAClockThatIsSetBack) {
  provider_clock c;
  c.observe(wall + 60s, wall, start);
  c.observe(wall, wall, start);
  EXPECT_EQ(c.offset(), ours);
  c.observe(wall + 1s, wall, start + 1100ms);
  EXPECT_EQ(c.offset(), ours);
}

}  // namespace
}  // namespace cooldown
