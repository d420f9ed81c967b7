#include "cooldown/schedule/conversations.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

TEST(Conversations, AreFoundWhereTheyWereLastSent) {
  conversations c;
  EXPECT_EQ(c.find(1, start), std::nullopt);
  c.remember(1, 7, start);
  c.remember(2, 8, start);
  c.remember(1, 9, start + 1s);
  EXPECT_EQ(c.find(1, start + 2s), 9U);
  EXPECT_EQ(c.find(2, start + 2s), 8U);
}

TEST(Conversations, AreForgottenAfterALongSilence) {
  conversations c;
  c.remember(1, 7, start);
  c.remember(2, 7, start + 10min);
  c.remember(1, 7, start + 20min);
  EXPECT_EQ(c.find(1, start + 50min), 7U);
  EXPECT_EQ(c.find(2, start + 50min), std::nullopt);
  c.remember(3, 7, start + 50min);
  EXPECT_EQ(c.size(), 2U);
}

TEST(Conversations, AreBounded) {
  conversations c;
  for (std::uint64_t i = 0; i <= conversations::most; ++i) c.remember(i, 7, start);
  EXPECT_EQ(c.size(), conversations::most);
  EXPECT_EQ(c.find(0, start), std::nullopt);
  EXPECT_EQ(c.find(1, start), 7U);
}

}  // namespace
}  // namespace cooldown
