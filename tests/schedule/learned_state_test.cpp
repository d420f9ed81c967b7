// The limiter's learned state, saved and restored: the same, aged by the time passed, and never absurd.
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

constexpr time_point other_boot{5min};  // the machine has been started again

/// What one limiter believes is what another one does.
void expect_same(std::vector<scope_report> a, std::vector<scope_report> b) {
  auto const by_name = [](auto const& x, auto const& y) { return x.model < y.model; };
  std::sort(a.begin(), a.end(), by_name);
  std::sort(b.begin(), b.end(), by_name);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].model, b[i].model);
    EXPECT_EQ(a[i].decides, b[i].decides);
    EXPECT_EQ(a[i].concurrency_limit, b[i].concurrency_limit);
    EXPECT_NEAR(a[i].tokens_per_char, b[i].tokens_per_char, 1e-9);
    EXPECT_NEAR(a[i].use_share, b[i].use_share, 1e-9);
    ASSERT_EQ(a[i].budgets.size(), b[i].budgets.size());
    for (std::size_t k = 0; k < a[i].budgets.size(); ++k) {
      auto const& x = a[i].budgets[k];
      auto const& y = b[i].budgets[k];
      SCOPED_TRACE(std::string(name_of(x.counts)) + " a " + name_of(x.over) + " " + name_of(x.model));
      EXPECT_EQ(x.counts, y.counts);
      EXPECT_EQ(x.over, y.over);
      EXPECT_NEAR(x.limit, y.limit, 1e-9 * x.limit);
      EXPECT_NEAR(x.level, y.level, 0.01 * std::max(x.limit, std::abs(x.level)) + 1);
      EXPECT_EQ(x.model, y.model);
      EXPECT_EQ(x.confirmed, y.confirmed);
      EXPECT_EQ(x.reported, y.reported);
    }
  }
}

/// Restarts the limiter in mind only, every few minutes.
class restarter final : public watch {
 public:
  explicit restarter(limiter_settings s) : settings_(std::move(s)) {}
  void ticks(time_point now) override {
    if (++count_ % 47 != 0 || ::testing::Test::HasFailure()) return;
    auto const wall = world_now->wall();
    auto const state = limiter->save(now, wall);
    cerebras_limiter same(settings_);
    same.restore(state, other_boot, wall);
    expect_same(limiter->report(now, 0), same.report(other_boot, 0));
    for (duration const away : std::initializer_list<duration>{3s, 5min, 3h, 72h}) {
      SCOPED_TRACE(seconds_of(away));
      cerebras_limiter early(settings_);
      early.restore(state, other_boot, wall);
      cerebras_limiter late(settings_);
      late.restore(state, other_boot + away, wall + away);
      expect_same(early.report(other_boot + away, 0), late.report(other_boot + away, 0));
    }
  }

 private:
  limiter_settings settings_;
  int count_ = 0;
};

limiter_settings settings_of(const bench::workload& w) {
  limiter_settings s;
  s.quota.rpm_limit = w.rpm_limit;
  s.quota.tpm_limit = w.tpm_limit;
  s.quota.limits = w.configured;
  return s;
}

TEST(LearnedState, IsTheSameAfterARestartAndAsMuchOlderAsTheRestartTook) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(12); seed < last && !HasFailure(); ++seed) {
    auto const w = random_workload(seed);
    SCOPED_TRACE(line_about(w, seed));
    restarter eyes(settings_of(w));
    run_watched(w, seed, eyes);
  }
}

class LearnedStateTest : public ::testing::Test {
 protected:
  static constexpr scope_name scope{7, "m"};
  static constexpr time_point start{1000h};
  static constexpr wall_time wall{490'000h};

  static limiter_settings settings() {
    limiter_settings s;
    s.quota.rpm_limit = 30;
    s.quota.limits.limit[{resource::requests, window::hour}] = 100;
    return s;
  }

  static decision submit(cerebras_limiter& l, time_point now, std::uint64_t maximum = 100) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = maximum;
    t.client = 3;
    return l.submit(t, now);
  }

  static void answer(cerebras_limiter& l, ticket_id id, time_point now, const char* left = "50000") {
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "60000"},
                                   {"x-ratelimit-remaining-tokens-minute", left}};
    l.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall + (now - start));
  }

  /// A limiter that has learned this and that.
  static learned_state learned() {
    cerebras_limiter l(settings());
    for (int i = 0; i < 5; ++i) {
      auto const now = start + 2s * i;
      auto const id = std::get<go>(submit(l, now)).id;
      answer(l, id, now);
      l.settle(id, 60, 8, now);
    }
    return l.save(start + 10s, wall + 10s);
  }

  static double level(cerebras_limiter& l, resource r, window w, time_point now) {
    for (auto const& s : l.report(now))
      for (auto const& b : s.budgets)
        if (b.counts == r && b.over == w) return b.level;
    return -1;
  }
};

TEST_F(LearnedStateTest, LevelsRiseByTheWallClockWhileNothingRuns) {
  cerebras_limiter l(settings());
  l.restore(learned(), other_boot, wall + 10s + 30s);
  // 5 of 30 requests a minute, of which one comes back every two seconds.
  EXPECT_NEAR(level(l, resource::requests, window::minute, other_boot), 30, 0.1);
  EXPECT_NEAR(level(l, resource::requests, window::hour, other_boot), 96.1, 0.2);
  EXPECT_NEAR(level(l, resource::requests, window::hour, other_boot + 1h), 100, 0.1);
}

TEST_F(LearnedStateTest, WhatIsInFlightCountsAsSpent) {
  cerebras_limiter before(settings());
  auto const id = std::get<go>(submit(before, start)).id;
  answer(before, id, start, "60000");
  EXPECT_TRUE(std::holds_alternative<go>(submit(before, start, 40'000)));
  auto const state = before.save(start, wall);
  cerebras_limiter after(settings());
  after.restore(state, other_boot, wall);
  EXPECT_EQ(after.in_flight(), 0U);
  EXPECT_LE(level(after, resource::tokens, window::minute, other_boot), 20'000);
}

TEST_F(LearnedStateTest, APauseIsKeptAndEndsWhenItWouldHave) {
  cerebras_limiter before(settings());
  auto const id = std::get<go>(submit(before, start)).id;
  header_field const fields[] = {{"retry-after", "200"}};
  before.observe(id, {.status = 429, .headers = fields, .error = {"", "", "token_quota_exceeded"}}, start, wall);
  before.leave(id, start);
  auto const state = before.save(start, wall);
  for (auto const& [away, goes] : {std::pair{100s, false}, std::pair{220s, true}}) {
    cerebras_limiter after(settings());
    after.restore(state, other_boot, wall + away);
    EXPECT_EQ(std::holds_alternative<go>(submit(after, other_boot)), goes) << away.count();
  }
}

TEST_F(LearnedStateTest, RestoringTwiceIsHarmlessAndSoIsRestoringTooLate) {
  auto const state = learned();
  cerebras_limiter once(settings()), twice(settings());
  for (auto* l : {&once, &twice}) {
    l->restore(state, other_boot, wall + 10s);
    auto const id = std::get<go>(submit(*l, other_boot, 10'000)).id;
    answer(*l, id, other_boot, "1234");
  }
  twice.restore(state, other_boot, wall + 10s);
  expect_same(once.report(other_boot, 0), twice.report(other_boot, 0));
  EXPECT_EQ(once.in_flight(), twice.in_flight());
}

TEST_F(LearnedStateTest, WhatIsConfiguredAnewHoldsAndWhatIsNoMoreIsForgotten) {
  auto s = settings();
  s.quota.rpm_limit = 300;
  s.quota.limits = {};
  cerebras_limiter l(s);
  l.restore(learned(), other_boot, wall + 10s);
  EXPECT_NEAR(level(l, resource::requests, window::minute, other_boot + 2min), 300, 1e-6);
  EXPECT_EQ(level(l, resource::requests, window::hour, other_boot), -1);
}

TEST_F(LearnedStateTest, AStateOfAnotherTimeIsIgnored) {
  for (duration const off : std::initializer_list<duration>{-2h, 24h * 1'000}) {
    cerebras_limiter l(settings());
    l.restore(learned(), other_boot, wall + off);
    EXPECT_TRUE(l.report(other_boot).empty()) << seconds_of(off);
  }
  auto state = learned();
  for (auto const at : {wall_time::min(), wall_time::max()}) {
    state.saved_at = at;
    cerebras_limiter l(settings());
    l.restore(state, other_boot, wall);
    EXPECT_TRUE(l.report(other_boot).empty());
  }
}

/// Every number and every age of a state, one after another.
void visit(learned_state& s, const std::function<void(double&)>& number, const std::function<void(age&)>& moment,
           const std::function<void(unsigned&)>& count, const std::function<void(duration&)>& length) {
  for (auto& each : s.scopes) {
    for (auto* a : {&each.last_used, &each.last_refusal, &each.quota.last_update, &each.quota.careful_until,
                    &each.quota.pacing.hold_until, &each.quota.pacing.last_refusal, &each.quota.pacing.last_release,
                    &each.quota.pacing.backed_off_until, &each.quota.pacing.capacity_word,
                    &each.quota.concurrency.refused_at, &each.costs.output.cap_until, &each.costs.output.charged_until})
      moment(*a);
    for (auto* d : {&each.quota.pacing.spacing, &each.quota.concurrency.answer_time, &each.clock.ahead}) length(*d);
    for (auto* n : {&each.quota.pacing.rounds, &each.quota.pacing.refused_probes, &each.quota.concurrency.limit,
                    &each.quota.concurrency.proven, &each.quota.concurrency.step, &each.quota.concurrency.failed_steps,
                    &each.costs.output.doubts})
      count(*n);
    for (auto* x : {&each.quota.proven_requests, &each.costs.use_share, &each.costs.inputs[0].ratio,
                    &each.costs.inputs[2].least, &each.costs.inputs_observed, &each.quota.concurrency.luck,
                    &each.shares.use.share, &each.shares.use.mean, &each.quota.totals[0].factor})
      number(*x);
    for (auto& c : each.shares.clients)
      for (auto* x : {&c.weight, &c.ahead, &c.use.largest}) number(*x);
    for (auto& l : each.quota.limits) {
      for (auto* a : {&l.told_at, &l.shown_at, &l.taken_at, &l.reset_at, &l.window_start, &l.probed_at, &l.suspected_at,
                      &l.next_test, &l.hidden.born, &l.hidden.met_at, &l.hidden.empty_at, &l.hidden.steadfast_until})
        moment(*a);
      for (auto* x : {&l.limit, &l.level, &l.highest, &l.margin, &l.gone, &l.drift, &l.spent_since_reset,
                      &l.suspected_level, &l.hidden.value, &l.hidden.configured, &l.hidden.step})
        number(*x);
      length(l.phase);
      count(l.rounds);
      count(l.refused_tests);
      for (auto& p : l.spent) {
        number(p.amount);
        length(p.ago);
      }
    }
  }
}

TEST_F(LearnedStateTest, WhatIsAbsurdIsIgnored) {
  std::mt19937 random(1);
  double const numbers[] = {0,
                            -1,
                            -1e300,
                            1e300,
                            1e15,
                            1e-300,
                            std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity()};
  duration const lengths[] = {0s, -1s, duration::min(), duration::max(), -24h * 365, 24h * 365, -3min};
  unsigned const counts[] = {0, 1, 1'000, std::numeric_limits<unsigned>::max()};
  auto const one_of = [&](auto const& of) { return of[random() % std::size(of)]; };
  auto const good = learned();
  for (unsigned i = 0; i < 400 * law_cases(1); ++i) {
    auto state = good;
    auto const odds = 1 + random() % 200;
    auto const hit = [&] { return random() % odds == 0; };
    visit(
        state, [&](double& x) { x = hit() ? one_of(numbers) : x; },
        [&](age& a) { a = hit() ? age{one_of(lengths)} : a; }, [&](unsigned& n) { n = hit() ? one_of(counts) : n; },
        [&](duration& d) { d = hit() ? one_of(lengths) : d; });
    if (hit()) state.scopes.front().quota.limits.front().belief = 200;
    cerebras_limiter l(settings());
    l.restore(state, other_boot, wall + 20s);
    for (duration const later : std::initializer_list<duration>{0s, 1min, 49h})
      for (auto const& s : l.report(other_boot + later))
        for (auto const& b : s.budgets)
          ASSERT_TRUE(std::isfinite(b.level) && std::isfinite(b.limit) && b.limit > 0) << i;
    // Whatever was restored, nothing is held back for good.
    ASSERT_TRUE(std::holds_alternative<go>(submit(l, other_boot + 49h, 1))) << i;
  }
}

}  // namespace
}  // namespace cooldown::testing
