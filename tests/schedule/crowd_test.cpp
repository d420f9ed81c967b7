#include "cooldown/schedule/crowd.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

using namespace cooldown;
using namespace std::chrono_literals;

TEST(Crowd, TheYoungestOfTheMostGivesWayToWhoHasFewer) {
  crowd c;
  EXPECT_FALSE(c.gives_way_to(1)) << "there is nobody";
  for (std::uint64_t id = 1; id <= 3; ++id) c.add(1, id);
  c.add(2, 4);
  EXPECT_FALSE(c.gives_way_to(1)) << "not to itself";
  EXPECT_EQ(c.gives_way_to(2), 3U);
  c.remove(1, 3);
  EXPECT_FALSE(c.gives_way_to(2)) << "it would have as many";
  c.remove(1, 1);
  c.remove(1, 2);
  c.remove(2, 4);
  EXPECT_FALSE(c.gives_way_to(3));
}

namespace {

constexpr time_point start{std::chrono::hours{1000}};

/// A limiter without quota, whose queue has room for four.
struct FullQueue : ::testing::Test {
  static limiter_settings small() {
    limiter_settings s;
    s.max_depth = 4;
    s.max_in_flight = 1;
    return s;
  }
  cerebras_limiter limiter{small()};
  std::vector<ticket_id> refused_ones;

  decision submit(std::uint64_t client, std::uint64_t group = 0) {
    ticket_facts t;
    t.scope = {1, "m"};
    t.size.max_output_tokens = 10;
    t.client = client;
    t.group = group;
    auto d = limiter.submit(t, start);
    for (auto const& e : limiter.poll(start)) {
      EXPECT_TRUE(e.refusal && e.refusal->why == reason::queue_full);
      refused_ones.push_back(e.id);
    }
    return d;
  }
  bool waits(std::uint64_t client, std::uint64_t group = 0) {
    return std::holds_alternative<queued>(submit(client, group));
  }
};

}  // namespace

TEST_F(FullQueue, WhoFillsItGivesWayUntilOthersHaveAsMany) {
  ASSERT_TRUE(std::holds_alternative<go>(submit(1)));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(waits(1));
  EXPECT_FALSE(waits(1));
  EXPECT_TRUE(waits(2));
  EXPECT_TRUE(waits(2));
  EXPECT_FALSE(waits(2));
  EXPECT_EQ(refused_ones.size(), 2U);
  EXPECT_EQ(limiter.queue_length(), 4U);
}

TEST_F(FullQueue, ANewNameForEachRequestIsOneClient) {
  ASSERT_TRUE(std::holds_alternative<go>(submit(1)));
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(waits(100 + i, 9));
  EXPECT_FALSE(waits(200, 9));
  EXPECT_TRUE(waits(2));
}
