#include "cooldown/sim/fault.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cooldown::sim {
namespace {

TEST(parse_fault, reads_kind_argument_and_probability) {
  std::string error;
  const auto parsed = parse_fault("status=503@0.25", error);
  ASSERT_TRUE(parsed) << error;
  EXPECT_EQ(parsed->kind, fault_kind::status);
  EXPECT_EQ(parsed->argument, 503);
  EXPECT_EQ(parsed->probability, 0.25);
}

TEST(parse_fault, has_defaults) {
  std::string error;
  const auto parsed = parse_fault(" reset-mid-stream ", error);
  ASSERT_TRUE(parsed) << error;
  EXPECT_EQ(parsed->argument, 3);
  EXPECT_EQ(parsed->probability, 1);
}

TEST(parse_fault, says_what_is_wrong) {
  std::string error;
  EXPECT_FALSE(parse_fault("explode", error));
  EXPECT_THAT(error, testing::HasSubstr("stall"));
  EXPECT_FALSE(parse_fault("status=99", error));
  EXPECT_THAT(error, testing::HasSubstr("200 to 599"));
  EXPECT_FALSE(parse_fault("delay=-1", error));
  EXPECT_FALSE(parse_fault("load@2", error));
  EXPECT_THAT(error, testing::HasSubstr("probability"));
}

TEST(draw_faults, is_the_same_for_the_same_seed_and_as_frequent_as_asked) {
  const std::vector<fault> faults{{fault_kind::load, 0, 0.3}};
  std::mt19937_64 first{7};
  std::mt19937_64 second{7};
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    const bool hit = draw_faults(faults, "", first).has(fault_kind::load);
    EXPECT_EQ(hit, draw_faults(faults, "", second).has(fault_kind::load));
    hits += hit ? 1 : 0;
  }
  EXPECT_NEAR(hits, 3000, 200);
}

TEST(draw_faults, adds_those_of_the_request_and_ignores_nonsense) {
  std::mt19937_64 random{1};
  const auto plan = draw_faults({}, "no-usage, nonsense=1, delay=20", random);
  EXPECT_TRUE(plan.has(fault_kind::no_usage));
  EXPECT_EQ(plan.argument(fault_kind::delay), 20);
  EXPECT_FALSE(plan.has(fault_kind::status));
  EXPECT_FALSE(draw_faults({}, "", random).any());
}

}  // namespace
}  // namespace cooldown::sim
