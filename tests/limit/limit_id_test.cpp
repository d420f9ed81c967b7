#include "cooldown/limit/limit_id.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

TEST(Window, IsAnyNumberOfWholeSecondsUpTo30Days) {
  EXPECT_EQ(window::of(60s), window::minute);
  EXPECT_EQ(window::of(24h), window::day);
  EXPECT_EQ(window::of(10s)->length(), 10s);
  EXPECT_EQ(window::of(720h), window::month);
  for (duration const none : {duration{0s}, duration{1500ms}, duration{-1s}, duration{721h}})
    EXPECT_FALSE(window::of(none));
  EXPECT_LT(window::second, window::minute);
}

TEST(Window, HasTheNameThatPeopleUse) {
  EXPECT_EQ(name_of(window::minute), "minute");
  EXPECT_EQ(name_of(*window::of(10s)), "10s");
  EXPECT_EQ(name_of(*window::of(5min)), "300s");
}

TEST(PerLimit, KeepsABoundedNumberOfValues) {
  per_limit<int> all;
  for (unsigned i = 1; i <= most_limits; ++i) *all.get({resource::requests, *window::of(i * 1s)}) = static_cast<int>(i);
  EXPECT_EQ(all.get({resource::tokens, window::minute}), nullptr);
  EXPECT_EQ(*all.get({resource::requests, *window::of(3s)}), 3);
  EXPECT_EQ(all.find({resource::tokens, *window::of(3s)}), nullptr);
}

}  // namespace
}  // namespace cooldown
