// One contract for all dialects: sixteen clients at each provider's true quota, in simulated time.
#include "cooldown/sim/dialects.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quota/experiment.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

constexpr duration first_minute = 60s;
constexpr duration whole = 10min;
constexpr double least_share = 0.95;
constexpr double most_refused = 0.01;
constexpr double most_refused_unseen = 0.03;  // where no header shows what binds

workload clients_of(const sim::dialect_profile& provider) {
  workload w;
  w.name = provider.name;
  sim::speak(w.provider, provider);
  w.groups.front().connections = 16;
  w.tpm_limit = 1e6;
  return w;
}

outcome run(const workload& w, contestant who, duration length) {
  return run_experiment(w, {.who = who, .length = length});
}

struct Dialects : ::testing::TestWithParam<std::string> {};

TEST_P(Dialects, AreServedToTheFullWithHardlyARefusal) {
  auto const& provider = *sim::find_dialect(GetParam());
  auto const w = clients_of(provider);
  auto const start = run(w, contestant::ours, first_minute);
  auto const all = run(w, contestant::ours, whole);
  auto const best = run(w, contestant::omniscient, whole);
  EXPECT_EQ(all.non_200, 0U) << "a client saw an error that waiting would have avoided";
  EXPECT_EQ(all.lost, 0U);
  EXPECT_GE(all.tokens, least_share * best.tokens) << "share " << all.tokens / best.tokens;
  auto const refused = static_cast<double>(all.refused - start.refused);
  auto const admitted = static_cast<double>(all.admitted - start.admitted);
  EXPECT_LE(refused, (provider.shows_all ? most_refused : most_refused_unseen) * admitted)
      << start.refused << " before";
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (auto const& each : sim::dialects()) all.emplace_back(each.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Dialects, ::testing::ValuesIn(names()), [](auto const& which) {
  auto name = which.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace cooldown::bench
