// Priority is bounded both ways: no class starves; urgent requests wait for what is in flight and one release.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

class classes {
 public:
  explicit classes(unsigned seed) : random_(seed * 104'729U) {
    w.length = 40min;
    w.provider.limits = {.tpm = static_cast<std::int64_t>(20'000 * between(1, 15))};
    w.provider.refusals = sim::refusal_style::telling;
    w.tpm_limit = tpm();
    w.groups.clear();
  }

  double tpm() const { return static_cast<double>(w.provider.limits.tpm); }

  /// Endless, and more than the quota can serve. Requests of at most this share of the limit.
  void add_endless(int urgency, double largest, int connections) {
    bench::client_group g;
    g.connections = connections;
    g.urgency = static_cast<std::uint8_t>(urgency);
    auto const most = static_cast<int>(tpm() * largest * between(20, 100) / 100);
    g.max_output = bench::range{std::max(1, most / between(1, 4)), most};
    g.reply = std::max(1, most / between(1, 4));
    g.input_chars = {100, 400};
    g.time_per_token = duration_of_seconds(between(1, 10) * 0.1 / g.reply);
    w.groups.push_back(g);
  }

  void add_urgent() {
    bench::client_group g;
    g.how = bench::pace::poisson;
    g.connections = between(1, 4);
    g.rate = 0.1;
    g.urgency = 0;
    g.max_output = bench::range{50, 100};
    g.reply = 50;
    g.input_chars = {100, 200};
    g.watched = true;
    w.groups.push_back(g);
  }

  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  bench::workload w;

 private:
  std::mt19937 random_;
};

bench::outcome run(const bench::workload& w, unsigned seed) {
  return bench::run_experiment(w, {.who = bench::contestant::ours, .length = w.length, .seed = seed});
}

TEST(LawOfClasses, TheLeastUrgentGetsATwentiethWhoeverAsksBesideIt) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(8); seed < last; ++seed) {
    classes c(seed);
    c.w.provider.rules.refill = static_cast<sim::refill_rule>(c.between(0, 2));
    int const low = c.between(2, 7);
    c.add_endless(low, 0.1, 8);
    c.add_endless(c.between(0, low - 1), 0.3, 40);
    if (c.between(0, 1) == 1) c.add_endless(c.between(0, low - 1), 0.1, 20);
    auto const o = run(c.w, seed);
    double all = 0;
    for (auto const& [client, t] : o.clients) all += t.tokens;
    double const next = c.tpm() * 0.1;  // what it has saved for
    // What is left of a window or a log cannot be saved in.
    double const least = c.w.provider.rules.refill == sim::refill_rule::bucket ? 0.05 : 0.04;
    EXPECT_GE((o.clients.at(1).tokens + next) / all, least) << line_about(c.w, seed);
  }
}

TEST(LawOfClasses, WhatIsUrgentWaitsForWhatIsInFlightAndOneRelease) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(8); seed < last; ++seed) {
    classes c(seed);
    c.add_endless(c.between(1, 7), 0.5, 20);
    c.add_endless(c.between(1, 7), 0.2, 20);
    c.add_urgent();
    auto o = run(c.w, seed);
    ASSERT_FALSE(o.watched_waits.empty());
    std::sort(o.watched_waits.begin(), o.watched_waits.end());
    // The largest, half of what comes back in a minute, and what clocks and refusals take.
    EXPECT_LE(o.watched_waits.at(o.watched_waits.size() * 99 / 100), 32) << line_about(c.w, seed);
  }
}

}  // namespace
}  // namespace cooldown::testing
