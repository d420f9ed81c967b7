// Random schedules against the rules: admitted amounts are summed again by a naive method.
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/sim/model_quota.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr std::int64_t rpm = 20;
constexpr std::int64_t tpm = 1000;
constexpr nanoseconds wall = 1'760'021'388s + 617'132'903ns;

struct event {
  nanoseconds at;
  std::int64_t tokens;  // as corrected, once settled
  reservation held;
  bool settled = false;
};

class random_schedule : public testing::TestWithParam<std::tuple<refill_rule, int>> {
 protected:
  refill_rule rule() const { return std::get<0>(GetParam()); }

  model_quota make_quota() const {
    model_limits limits;
    limits.rpm = rpm;
    limits.tpm = tpm;
    limits.tph = 20 * tpm;
    quota_rules rules;
    rules.refill = rule();
    rules.wall_at_epoch = wall;
    return {limits, rules};
  }

  std::int64_t draw(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>{low, high}(random_);
  }

  // Mostly bursts, sometimes pauses, never a round number of ns.
  nanoseconds draw_pause() {
    return draw(0, 9) == 0 ? nanoseconds{draw(0, 50'000'000'000)} : nanoseconds{draw(0, 900'000'000)};
  }

  std::mt19937_64 random_{static_cast<std::uint64_t>(std::get<1>(GetParam()))};
};

nanoseconds start_of_minute(nanoseconds t) {
  return t - (t + wall) % 60s;
}

TEST_P(random_schedule, never_admits_more_than_the_limit_of_any_window) {
  auto quota = make_quota();
  std::vector<event> events;
  nanoseconds now{0};
  int refusals = 0;
  for (int step = 0; step < 1500; ++step) {
    now += draw_pause();
    if (draw(0, 2) == 0 && !events.empty()) {
      auto& done = events[static_cast<std::size_t>(draw(0, static_cast<std::int64_t>(events.size()) - 1))];
      if (!done.settled && rule() != refill_rule::bucket) {
        const auto used = draw(0, done.tokens);
        quota.settle(done.held, {0, 0, used}, now);
        done.tokens = used;
        done.settled = true;
      }
    }
    const auto tokens = draw(1, 300);
    const auto answer = quota.admit({0, 0, tokens}, now);
    if (const auto* yes = std::get_if<admitted>(&answer)) {
      events.push_back({now, tokens, yes->held});
    } else {
      ++refusals;
    }
    // The windows that end now; a bucket's are all of them, with what was refilled on top.
    std::int64_t requests_in = 0;
    std::int64_t tokens_in = 0;
    for (auto each = events.rbegin(); each != events.rend(); ++each) {
      const bool counts = rule() == refill_rule::bucket    ? true
                          : rule() == refill_rule::sliding ? each->at + 60s > now
                                                           : each->at >= start_of_minute(now);
      if (!counts) break;
      ++requests_in;
      tokens_in += each->tokens;
      const double minutes = rule() == refill_rule::bucket ? std::chrono::duration<double>(now - each->at) / 60s : 0;
      ASSERT_LE(static_cast<double>(tokens_in), static_cast<double>(tpm) * (1 + minutes) + 1e-6);
      ASSERT_LE(static_cast<double>(requests_in), static_cast<double>(rpm) * (1 + minutes) + 1e-6);
    }
  }
  EXPECT_GT(refusals, 50);
  EXPECT_GT(events.size(), 50U);
}

TEST_P(random_schedule, next_admission_is_never_early_and_never_late) {
  auto quota = make_quota();
  std::vector<reservation> open;
  nanoseconds now{0};
  int checked = 0;
  for (int step = 0; step < 1500; ++step) {
    now += draw_pause();
    if (open.size() > 5) {
      quota.settle(open.front(), {0, 0, draw(0, 400)}, now);
      open.erase(open.begin());
    }
    const request_facts facts{0, 0, draw(1, 300)};
    const auto cost = quota.cost_of(facts);
    const auto next = quota.next_admission(cost, now);
    ASSERT_TRUE(next);
    if (*next > now) {
      ++checked;
      const auto early = quota.admit(facts, *next - 1ns);
      ASSERT_TRUE(std::holds_alternative<refused>(early)) << "at step " << step;
      ASSERT_EQ(std::get<refused>(early).retry_after, 1ns);
      now = *next;
    }
    const auto answer = quota.admit(facts, now);
    ASSERT_TRUE(std::holds_alternative<admitted>(answer)) << "at step " << step;
    open.push_back(std::get<admitted>(answer).held);
  }
  EXPECT_GT(checked, 50);
}

INSTANTIATE_TEST_SUITE_P(rules, random_schedule,
                         testing::Combine(testing::Values(refill_rule::bucket, refill_rule::window,
                                                          refill_rule::sliding),
                                          testing::Range(1, 6)));

}  // namespace
}  // namespace cooldown::sim
