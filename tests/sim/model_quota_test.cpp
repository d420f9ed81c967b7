#include "cooldown/sim/model_quota.hpp"

#include <gtest/gtest.h>

#include "cooldown/sim/admission.hpp"
#include "cooldown/sim/rate_headers.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

model_limits limits_of(std::int64_t rpm, std::int64_t tpm) {
  model_limits limits;
  limits.rpm = rpm;
  limits.tpm = tpm;
  return limits;
}

quota_rules rules_of(refill_rule refill, cost_rule cost = cost_rule::documented) {
  quota_rules rules;
  rules.refill = refill;
  rules.cost = cost;
  return rules;
}

const admitted& granted(const admission_answer& answer) {
  return std::get<admitted>(answer);
}
const refused& denied(const admission_answer& answer) {
  return std::get<refused>(answer);
}

std::int64_t remaining(model_quota& quota, resource what, nanoseconds now) {
  for (const auto& each : quota.readings(now)) {
    if (each.what == what && each.per == window::minute) return each.remaining;
  }
  return -1;
}

struct cost_case {
  cost_rule rule;
  std::int64_t input;
  std::optional<std::int64_t> max_output;
  std::int64_t expected;
};

TEST(cost_of, follows_the_rule) {
  const std::vector<cost_case> cases{
      {cost_rule::documented, 100, 500, 600},
      {cost_rule::documented, 100, 64000, 64100},
      {cost_rule::documented, 100, std::nullopt, 16484},
      {cost_rule::documented, 100, 0, 100},
      {cost_rule::measured, 68, 500, 500},
      {cost_rule::measured, 68, std::nullopt, 16384},
      {cost_rule::measured, 68, 100000, 16384},
      {cost_rule::measured, 1000, 10, 10},
      {cost_rule::measured, 1001, 10, 1011},
      {cost_rule::measured, 64000, std::nullopt, 80384},
  };
  for (const auto& each : cases) {
    const model_quota quota{limits_of(0, 1'000'000), rules_of(refill_rule::bucket, each.rule)};
    const auto cost = quota.cost_of({each.input, 0, each.max_output});
    EXPECT_EQ(cost.uncached, each.expected) << each.input << " " << each.max_output.value_or(-1);
    EXPECT_EQ(cost.total, each.expected);
  }
}

TEST(cost_of, leaves_cached_input_out_of_the_main_limit_only) {
  const model_quota quota{limits_of(0, 1'000'000), rules_of(refill_rule::bucket)};
  const auto cost = quota.cost_of({5000, 4000, 100});
  EXPECT_EQ(cost.uncached, 1100);
  EXPECT_EQ(cost.total, 5100);
}

TEST(cost_of, keeps_the_default_output_below_a_quarter_of_a_small_limit) {
  auto limits = limits_of(0, 8000);
  limits.tph = 4000;
  const model_quota quota{limits, rules_of(refill_rule::bucket)};
  EXPECT_EQ(quota.cost_of({10, 0, std::nullopt}).uncached, 1010);
}

TEST(model_quota, refuses_what_does_not_fit_and_says_when_it_will) {
  for (const auto rule : {refill_rule::bucket, refill_rule::window, refill_rule::sliding}) {
    model_quota quota{limits_of(0, 1000), rules_of(rule)};
    const auto first = quota.admit({100, 0, 600}, 6s);
    ASSERT_TRUE(std::holds_alternative<admitted>(first));
    EXPECT_EQ(granted(first).readings.at(0).remaining, 300);
    const auto second = quota.admit({0, 0, 400}, 6s);
    ASSERT_TRUE(std::holds_alternative<refused>(second));
    EXPECT_EQ(denied(second).what, resource::tokens);
    EXPECT_EQ(denied(second).per, window::minute);
    const auto expected = rule == refill_rule::bucket ? 6s : rule == refill_rule::window ? 54s : 60s;
    EXPECT_EQ(denied(second).retry_after, expected);
    EXPECT_EQ(remaining(quota, resource::tokens, 6s), 300) << "refusals cost nothing";
    EXPECT_EQ(quota.counters().refusals.at({resource::tokens, window::minute}), 1U);
  }
}

TEST(model_quota, refunds_what_was_reserved_and_not_used) {
  for (const auto rule : {refill_rule::bucket, refill_rule::window, refill_rule::sliding}) {
    model_quota quota{limits_of(10, 1000), rules_of(rule)};
    const auto answer = quota.admit({100, 0, 900}, 6s);
    quota.settle(granted(answer).held, {100, 0, 50}, 6s);
    EXPECT_EQ(remaining(quota, resource::tokens, 6s), 850);
    EXPECT_EQ(remaining(quota, resource::requests, 6s), 9) << "a request stays a request";
    EXPECT_EQ(quota.counters().tokens_reserved, 1000);
    EXPECT_EQ(quota.counters().tokens_used, 150);
    EXPECT_EQ(quota.counters().in_flight, 0);
  }
}

TEST(model_quota, charges_free_prompts_once_they_are_processed) {
  model_quota quota{limits_of(0, 1000), rules_of(refill_rule::sliding, cost_rule::measured)};
  const auto answer = quota.admit({500, 0, 100}, 0s);
  EXPECT_EQ(remaining(quota, resource::tokens, 0s), 900);
  quota.settle(granted(answer).held, {500, 0, 100}, 1s);
  EXPECT_EQ(remaining(quota, resource::tokens, 1s), 400);
}

TEST(model_quota, refuses_a_cost_above_the_limit_for_ever) {
  model_quota quota{limits_of(0, 1000), rules_of(refill_rule::bucket)};
  const auto answer = quota.admit({1, 0, 1000}, 0s);
  EXPECT_EQ(denied(answer).retry_after, std::nullopt);
  EXPECT_EQ(quota.next_admission({1001, 1001}, 0s), std::nullopt);
}

TEST(model_quota, names_the_limit_that_takes_longest) {
  auto limits = limits_of(60, 60000);
  limits.rpd = 1;
  limits.rps = 1;
  model_quota quota{limits, rules_of(refill_rule::window)};
  quota.admit({0, 0, 1}, 1500ms);
  const auto answer = quota.admit({0, 0, 1}, 1500ms);
  EXPECT_EQ(denied(answer).per, window::day);
  EXPECT_EQ(denied(answer).retry_after, 24h - 1500ms);
}

TEST(model_quota, has_a_hidden_limit_per_second) {
  auto limits = limits_of(600, 0);
  limits.rps = 2;
  model_quota quota{limits, rules_of(refill_rule::sliding)};
  quota.admit({}, 0s);
  const auto second = quota.admit({}, 100ms);
  EXPECT_EQ(render_headers(header_style::plain, granted(second).readings).size(), 2U) << "no header shows it";
  const auto third = quota.admit({}, 200ms);
  EXPECT_EQ(denied(third).per, window::second);
  EXPECT_EQ(denied(third).retry_after, 800ms);
}

TEST(model_quota, counts_cached_tokens_against_the_total_only) {
  auto limits = limits_of(0, 1000);
  limits.total_factor = 3;
  model_quota quota{limits, rules_of(refill_rule::bucket)};
  const auto first = quota.admit({2900, 2400, 0}, 0s);
  ASSERT_TRUE(std::holds_alternative<admitted>(first));
  EXPECT_EQ(remaining(quota, resource::tokens, 0s), 500);
  EXPECT_EQ(remaining(quota, resource::total_tokens, 0s), 100);
  const auto second = quota.admit({400, 300, 0}, 0s);
  EXPECT_EQ(denied(second).what, resource::total_tokens);
}

TEST(model_quota, waits_for_the_next_window_when_a_foreign_consumer_empties_this_one_meanwhile) {
  auto limits = limits_of(0, 60);
  limits.rps = 1;
  auto rules = rules_of(refill_rule::window);
  rules.foreign_tpm = 60;
  model_quota quota{limits, rules};
  quota.admit({0, 0, 0}, 30s);
  // 30 tokens fit now, but the second has no request left; a second later a token is gone.
  EXPECT_EQ(quota.next_admission({30, 30}, 30s), 60s);
  EXPECT_EQ(quota.next_admission({29, 29}, 30s), 31s);
}

TEST(model_quota, changes_limits_while_running) {
  model_quota quota{limits_of(0, 1000), rules_of(refill_rule::bucket)};
  quota.admit({0, 0, 600}, 0s);
  quota.set_limits(limits_of(5, 2000), 0s);
  EXPECT_EQ(remaining(quota, resource::tokens, 0s), 1400);
  EXPECT_EQ(remaining(quota, resource::requests, 0s), 5);
  quota.set_limits(limits_of(0, 0), 0s);
  EXPECT_TRUE(quota.readings(0s).empty());
}

TEST(model_quota, forgets_reservations_from_before_a_reset) {
  model_quota quota{limits_of(0, 1000), rules_of(refill_rule::sliding)};
  const auto before = quota.admit({0, 0, 600}, 0s);
  quota.reset(1s);
  quota.admit({0, 0, 100}, 1s);
  quota.settle(granted(before).held, {0, 0, 900}, 2s);
  EXPECT_EQ(remaining(quota, resource::tokens, 2s), 900);
  EXPECT_EQ(quota.counters().admissions, 1U);
  EXPECT_EQ(quota.counters().in_flight, 1);
}

TEST(admission, keeps_a_quota_per_model) {
  admission account{{{"a", limits_of(1, 0)}, {"b", limits_of(1, 0)}}, rules_of(refill_rule::bucket)};
  EXPECT_TRUE(std::holds_alternative<admitted>(account.find("a")->admit({}, 0s)));
  EXPECT_TRUE(std::holds_alternative<refused>(account.find("a")->admit({}, 0s)));
  EXPECT_TRUE(std::holds_alternative<admitted>(account.find("b")->admit({}, 0s)));
  EXPECT_EQ(account.find("c"), nullptr);
}

TEST(admission, gives_any_model_the_limits_of_the_first_up_to_a_bound) {
  admission account{{{"a", limits_of(7, 0)}}, rules_of(refill_rule::bucket), true};
  ASSERT_NE(account.find("c"), nullptr);
  EXPECT_EQ(account.find("c")->limits().rpm, 7);
  EXPECT_EQ(account.find("c"), account.find("c"));
  for (int i = 0; i < 2000; ++i) account.find("model-" + std::to_string(i));
  EXPECT_EQ(account.models().size(), 1000U);
  EXPECT_EQ(account.find("one-more"), nullptr);
}

}  // namespace
}  // namespace cooldown::sim
