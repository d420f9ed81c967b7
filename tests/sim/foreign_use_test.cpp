// Use of the account by others, and the cost rules under which the input is free.
#include <gtest/gtest.h>

#include "cooldown/sim/model_quota.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

std::int64_t remaining(model_quota& quota, resource what, window per, nanoseconds now) {
  for (const auto& each : quota.readings(now)) {
    if (each.what == what && each.per == per) return each.remaining;
  }
  return -1;
}

quota_rules charging(cost_rule cost) {
  quota_rules rules;
  rules.cost = cost;
  return rules;
}

TEST(limit_id, is_told_by_its_name) {
  const auto hourly = limit_id_of("tph");
  ASSERT_TRUE(hourly);
  EXPECT_EQ(hourly->counts, resource::tokens);
  EXPECT_EQ(hourly->over, window::hour);
  EXPECT_EQ(limit_id_of("rps")->over, window::second);
  EXPECT_EQ(limit_id_of("rpm")->counts, resource::requests);
  EXPECT_FALSE(limit_id_of("rpw"));
  EXPECT_FALSE(limit_id_of(""));
}

TEST(foreign_use, takes_of_all_limits_or_of_none) {
  model_quota quota({.rpm = 2, .tpm = 1000, .tpd = 5000}, {});
  EXPECT_TRUE(quota.take(1, 600, 0s));
  EXPECT_FALSE(quota.take(1, 600, 0s));
  EXPECT_EQ(remaining(quota, resource::requests, window::minute, 0s), 1);
  EXPECT_EQ(remaining(quota, resource::tokens, window::minute, 0s), 400);
  EXPECT_EQ(remaining(quota, resource::tokens, window::day, 0s), 4400);
  EXPECT_TRUE(quota.take(1, 400, 0s));
  EXPECT_FALSE(quota.take(1, 0, 0s));
  EXPECT_TRUE(quota.take(0, 100, 30s));  // of tokens only
}

TEST(foreign_use, spends_one_limit_alone) {
  for (const auto refill : {refill_rule::bucket, refill_rule::window, refill_rule::sliding}) {
    quota_rules rules;
    rules.refill = refill;
    model_quota quota({.rpm = 10, .tpm = 1000}, rules);
    quota.spend({resource::requests, window::minute}, 9, 0s);
    quota.spend({resource::requests, window::day}, 9, 0s);  // there is none
    EXPECT_EQ(remaining(quota, resource::requests, window::minute, 0s), 1);
    EXPECT_EQ(remaining(quota, resource::tokens, window::minute, 0s), 1000);
    EXPECT_EQ(remaining(quota, resource::requests, window::minute, 60s), 10);
  }
}

TEST(cost_rules, completion_only_reserves_the_maximum_and_charges_the_output) {
  model_quota quota({.tpm = 10'000}, charging(cost_rule::completion_only));
  const request_facts facts{.input_tokens = 5000, .max_output = 2000};
  const auto held = std::get<admitted>(quota.admit(facts, 0s)).held;
  EXPECT_EQ(remaining(quota, resource::tokens, window::minute, 0s), 8000);
  quota.settle(held, {.input = 5000, .output = 300}, 0s);
  EXPECT_EQ(remaining(quota, resource::tokens, window::minute, 0s), 9700);
}

TEST(cost_rules, at_end_charges_nothing_before) {
  model_quota quota({.tpm = 1000}, charging(cost_rule::at_end));
  const request_facts facts{.input_tokens = 5000, .max_output = 2000};
  const auto held = std::get<admitted>(quota.admit(facts, 0s)).held;
  EXPECT_EQ(remaining(quota, resource::tokens, window::minute, 0s), 1000);
  quota.settle(held, {.input = 5000, .output = 1300}, 0s);
  EXPECT_TRUE(std::holds_alternative<refused>(quota.admit(facts, 17s)));  // the debt takes 18 s
  EXPECT_TRUE(std::holds_alternative<admitted>(quota.admit(facts, 18s)));
}

}  // namespace
}  // namespace cooldown::sim
