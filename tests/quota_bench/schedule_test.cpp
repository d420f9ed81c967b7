// The limiter held to its figures: minutes of saturated traffic in simulated time against the simulator's admission
// rules, beside a scheduler that sees the provider's quota itself. Deterministic: a figure that moves is a change of
// the schedule, never of the machine.
#include <algorithm>
#include <ostream>

#include <gmock/gmock.h>

#include "quota/experiment.hpp"
#include "quota/workload_file.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;
using ::testing::TestWithParam;
using ::testing::ValuesIn;

constexpr unsigned seeds = 3;

workload named(const std::string& name) {
  static auto const loaded = load_workloads(COOLDOWN_WORKLOADS);
  if (auto const* const error = std::get_if<workload_error>(&loaded)) throw std::runtime_error(error->message);
  auto const& all = std::get<std::vector<workload>>(loaded);
  auto const found = std::find_if(all.begin(), all.end(), [&](auto const& w) { return w.name == name; });
  if (found == all.end()) throw std::runtime_error("there is no workload " + name);
  return *found;
}

figures measured(const std::string& name, unsigned seed, duration length = 600s) {
  auto const w = named(name);
  auto const best = run_experiment(w, {.who = contestant::omniscient, .length = length, .seed = seed});
  auto const ours = run_experiment(w, {.who = contestant::ours, .length = length, .seed = seed});
  return figures_of(ours, best.tokens, w.unequal);
}

struct promise {
  const char* workload;
  double share;
  double refusals;  // per admission
  friend void PrintTo(const promise& p, std::ostream* out) { *out << p.workload; }
};

class Schedule : public TestWithParam<promise> {};

TEST_P(Schedule, UsesTheQuotaAndIsHardlyEverRefused) {
  auto const& p = GetParam();
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    for (auto const length : {120s, 600s}) {  // what it costs to learn, and what it comes to
      auto const f = measured(p.workload, seed, length);
      EXPECT_GE(f[figure::share], p.share) << "seed " << seed << ", " << length.count() << " s";
      EXPECT_LE(f[figure::refusals], p.refusals) << "seed " << seed << ", " << length.count() << " s";
      EXPECT_EQ(f[figure::non_200], 0) << "seed " << seed << ", " << length.count() << " s";
    }
  }
}

constexpr promise promises[] = {
    {"bucket, no resets, bare 429s", 0.98, 0.005},
    {"bucket, resets, telling 429s", 0.98, 0.005},
    {"window, no resets, bare 429s", 0.97, 0.005},
    {"window, resets, telling 429s", 0.97, 0.005},
    {"sliding, no resets, bare 429s", 0.95, 0.01},
    {"sliding, resets, telling 429s", 0.95, 0.01},
    {"large maxima, small use", 0.95, 0.01},
    {"no maximum given", 0.95, 0.01},
    {"rpm-bound, configured right", 0.97, 0.005},
    {"rpm-bound, configured 5 times too high", 0.90, 0.04},
    {"tpm configured 60 times too low", 0.97, 0.005},
    {"live: measured cost, two buckets", 0.90, 0.02},
    {"foreign consumer takes half", 0.90, 0.05},
    {"headers vanish after 15 s", 0.90, 0.02},
    {"window, clock 2 s ahead", 0.97, 0.01},
    {"window, clock 2 s behind", 0.97, 0.01},
    {"headers missing in half of answers", 0.97, 0.005},
    {"limits halved, then doubled", 0.97, 0.01},
};
INSTANTIATE_TEST_SUITE_P(Workloads, Schedule, ValuesIn(promises));

TEST(ScheduleOfMany, ALightClientHardlyWaitsBesideAHeavyOne) {
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    auto const f = measured("one heavy, one light client", seed);
    // One and a half times what a request of the heavy one takes of the quota's refill: 462 tokens at 1,000 a second.
    EXPECT_LE(f[figure::light_p95], 0.69) << "seed " << seed;
    EXPECT_LE(f[figure::light_p95], 0.05 * f[figure::p50]) << "seed " << seed;
  }
}

TEST(ScheduleOfMany, EqualsAreServedEquallyAndOthersByTheirWeights) {
  for (auto const* const name : {"bucket, no resets, bare 429s", "two clients, weights 3 to 1"})
    EXPECT_GE(measured(name, 1)[figure::jain], 0.98) << name;
}

TEST(ScheduleOfMany, OneWhoTakesAllHalfOfTheTimeDoesNotMakeAHiddenLimitSpiralDown) {
  auto const f = measured("hidden RPM, a colleague takes all half of the time", 1, 7200s);
  EXPECT_GE(f[figure::share], 0.95);
  EXPECT_LE(f[figure::refusals], 0.003);
}

TEST(ScheduleOfMany, ForecastsAreKept) {
  for (auto const* const name : {"bucket, no resets, bare 429s", "bucket, resets, telling 429s",
                                 "poisson at 120% of quota", "rpm-bound, configured right"}) {
    auto const f = measured(name, 1);
    EXPECT_LE(f[figure::forecast_p50], 0.1) << name;
    EXPECT_LE(f[figure::forecast_p90], 0.3) << name;
  }
}

}  // namespace
}  // namespace cooldown::bench
