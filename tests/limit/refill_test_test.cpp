#include "cooldown/limit/refill_test.hpp"

#include <gtest/gtest.h>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1000h};
constexpr refill_test::bucket empty{.level = 0, .shown_at = start, .limit = 60'000, .rate = 1'000};

TEST(RefillTest, IsDueWhenABucketWouldHaveRoomForSeveral) {
  refill_test const test;
  EXPECT_EQ(test.due(5'000, empty), start + 15s);
  auto some = empty;
  some.level = 5'000;
  EXPECT_EQ(test.due(5'000, some), start + 10s);
}

TEST(RefillTest, IsNeverDueWhereFewRequestsMakeUpTheLimit) {
  EXPECT_EQ(refill_test().due(25'000, empty), std::nullopt);
}

TEST(RefillTest, OneAtATime) {
  refill_test test;
  test.sent(7, 0, 1min, start);
  EXPECT_TRUE(test.is_under_way(7));
  EXPECT_FALSE(test.is_under_way(8));
  EXPECT_EQ(test.due(5'000, empty), start + 2min) << "also if nobody hears how it ended";
}

TEST(RefillTest, EachRefusalDoublesTheWait) {
  refill_test test;
  EXPECT_FALSE(test.is_under_way(0));
  for (auto const windows : {2, 4, 8}) {
    test.sent(7, 0, 1min, start);
    test.refused(1min, start);
    EXPECT_EQ(test.due(5'000, empty), start + windows * 1min);
  }
  test.forget();
  EXPECT_EQ(test.due(5'000, empty), start + 15s);
}

}  // namespace
}  // namespace cooldown
