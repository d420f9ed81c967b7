#include "cooldown/core/provider_clock.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr wall_time wall{std::chrono::hours{490'000}};
constexpr duration truth = wall.time_since_epoch() - start.time_since_epoch() + 2s;  // theirs is two seconds ahead

wall_time date_at(time_point t) {
  return std::chrono::floor<std::chrono::seconds>(wall_time{t.time_since_epoch() + truth});
}

TEST(ProviderClock, IsOursUntilADateIsSeen) {
  provider_clock c;
  c.observe(std::nullopt, wall, start);
  EXPECT_EQ(c.offset(), wall.time_since_epoch() - start.time_since_epoch());
  c.observe(date_at(start + 1s), wall + 1s, start + 1s);
  auto const told = c.offset();
  c.observe(std::nullopt, wall + 50h, start + 2s);
  EXPECT_EQ(c.offset(), told);
}

TEST(ProviderClock, NarrowsTheCutSecondDown) {
  provider_clock c;
  for (int i = 0; i < 40; ++i) {
    auto const at = start + i * 137ms;
    c.observe(date_at(at), wall, at + 20ms);  // on its way for 20 ms
    EXPECT_LE(c.offset(), truth);
  }
  EXPECT_GE(c.offset(), truth - 60ms);
}

TEST(ProviderClock, FollowsAClockThatIsSetBack) {
  provider_clock c;
  c.observe(date_at(start), wall, start);
  c.observe(date_at(start) - 1h, wall, start);
  EXPECT_LE(c.offset(), truth - 59min);
}

}  // namespace
}  // namespace cooldown
