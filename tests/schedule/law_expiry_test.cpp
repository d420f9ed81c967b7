// Every learned fact expires: when a provider's odd behaviour is over, its effects end.
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;
using bench::call_ptr;

constexpr duration trouble_ends = 40min;
constexpr duration looked_at_from = 2h;
constexpr duration length = 3h;

/// What is admitted and refused in the last hour.
class last_hour final : public watch {
 public:
  void admits(const call_ptr& c, time_point now) override {
    if (is_in(now)) tokens += c->tokens();
  }
  void refuses(const call_ptr& /*c*/, const bench::refusal& why, time_point now) override {
    if (is_in(now) && why.status == 429) refusals += 1;
  }
  double tokens = 0;
  double refusals = 0;

 private:
  bool is_in(time_point now) const { return now - world_now->loop().start() >= looked_at_from; }
};

class dice {
 public:
  explicit dice(unsigned seed) : random_(seed * 15'485'863U) {}
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

 private:
  std::mt19937 random_;
};

bench::workload ordinary(dice& d) {
  constexpr sim::header_style styles[] = {sim::header_style::resets, sim::header_style::plain,
                                          sim::header_style::all_resets, sim::header_style::none};
  bench::workload w;
  w.length = length;
  auto& p = w.provider;
  p.limits = {};
  p.limits.tpm = d.pick(10, 100) * 1'000;
  if (d.chance(0.5)) p.limits.rpm = d.pick(10, 60);
  if (d.chance(0.3)) p.limits.tph = p.limits.tpm * d.pick(15, 60);
  p.headers = styles[d.pick(0, 3)];
  // Not a sliding log: what has once been taken for a bucket stays one.
  p.rules.refill = static_cast<sim::refill_rule>(d.pick(0, 1));
  if (d.chance(0.5)) p.refusals = sim::refusal_style::telling;
  w.tpm_limit = static_cast<double>(p.limits.tpm);
  if (p.limits.rpm > 0) w.rpm_limit = static_cast<double>(p.limits.rpm);
  if (p.limits.tph > 0) w.configured.limit[{resource::tokens, window::hour}] = static_cast<double>(p.limits.tph);
  auto& g = w.groups.front();
  g.connections = d.pick(4, 20);
  g.max_output = bench::range{static_cast<int>(p.limits.tpm / 60), static_cast<int>(p.limits.tpm / 20)};
  g.reply = static_cast<int>(p.limits.tpm / 60);
  g.time_per_token = duration_of_seconds(0.2 / g.reply);
  return w;
}

/// All of it is over after `trouble_ends`.
void add_trouble(dice& d, bench::workload& w) {
  auto& p = w.provider;
  sim::timetable const times{.from = std::chrono::minutes{d.pick(0, 10)}, .until = trouble_ends, .every = {}};
  double const share = seconds_of(trouble_ends) / seconds_of(length);
  if (d.chance(0.5))
    p.foreign =
        sim::foreign_use{.tpm = p.limits.tpm * d.pick(2, 30) / 20, .rpm = p.limits.rpm * d.pick(0, 1), .when = times};
  if (d.chance(0.4)) p.load = sim::load_refusals{.share = d.pick(1, 20) / 20.0, .when = times};
  if (d.chance(0.4)) {
    p.changes.push_back({.at = share * 0.2, .factor = d.chance(0.7) ? 0.1 * d.pick(1, 8) : d.pick(2, 10)});
    p.changes.push_back({.at = share, .factor = 1});
  }
  if (d.chance(0.2)) p.anomaly = sim::header_anomaly{.at = times.from, .factor = std::pow(10, d.pick(1, 5))};
  if (d.chance(0.3)) p.spent = {{*sim::limit_id_of("rpm"), 1}, {*sim::limit_id_of("tpm"), 1}};
}

TEST(LawOfExpiry, WhatWasOddAboutAProviderIsForgottenWhenItIsOver) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(10); seed < last; ++seed) {
    dice d(seed);
    auto calm = ordinary(d);
    auto troubled = calm;
    add_trouble(d, troubled);
    last_hour before, after;
    run_watched(calm, seed, before);
    run_watched(troubled, seed, after);
    EXPECT_GE(after.tokens, 0.95 * before.tokens) << line_about(troubled, seed);
    // A window that was taken for a bucket among refusals for load is one to the limiter for hours.
    if (calm.provider.rules.refill == sim::refill_rule::window) continue;
    EXPECT_LE(after.refusals, 1.2 * before.refusals + 10) << line_about(troubled, seed);
  }
}

}  // namespace
}  // namespace cooldown::testing
