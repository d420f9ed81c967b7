// Several upstreams and keys in simulated time: real limiters, the routing, and providers that fail.
#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "quota/experiment.hpp"
#include "quota/workload_file.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

workload named(const std::string& beginning) {
  static auto const loaded = load_workloads(COOLDOWN_WORKLOADS);
  auto const& all = std::get<std::vector<workload>>(loaded);
  auto const found = std::find_if(all.begin(), all.end(), [&](auto const& w) { return w.name.starts_with(beginning); });
  if (found == all.end()) throw std::runtime_error("there is no workload " + beginning);
  return *found;
}

figures measured(const workload& w, unsigned seed, duration length = 1200s) {
  auto const best = run_experiment(w, {.who = contestant::omniscient, .length = length, .seed = seed});
  auto const ours = run_experiment(w, {.who = contestant::ours, .length = length, .seed = seed});
  return figures_of(ours, best.tokens, w.unequal);
}

void expect_no_client_notices(const figures& f, const std::string& what) {
  EXPECT_EQ(f[figure::non_200], 0) << what;
  EXPECT_EQ(f[figure::lost], 0) << what;
}

TEST(SeveralUpstreams, KeysOfEqualQuotaGiveTheirSumAndOneMayBeRevoked) {
  // U3 has to learn a limit that no header shows.
  for (auto const& [name, share] : {std::pair{"U1", 0.99}, std::pair{"U2", 0.97}, std::pair{"U3", 0.95}}) {
    for (unsigned seed = 1; seed <= 2; ++seed) {
      auto const f = measured(named(name), seed);
      EXPECT_GE(f[figure::share], share) << name << " seed " << seed;
      expect_no_client_notices(f, name);
    }
  }
}

TEST(SeveralUpstreams, WhileAnotherHasRoomNobodyWaitsLongerThanTheRulesSay) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    auto const f = measured(named("U4"), seed);
    EXPECT_GT(f[figure::spilled], 100);
    EXPECT_EQ(f[figure::sooner_at_first], 0);
    EXPECT_LE(f[figure::longest], 5 + 2);
    expect_no_client_notices(f, "U4");
  }
}

TEST(SeveralUpstreams, WhenOneFailsItsRequestsGoToTheOther) {
  constexpr double connect_timeout = 5;
  for (auto const* name : {"U7", "U8", "U9"}) {
    auto const f = measured(named(name), 1);
    EXPECT_LE(f[figure::p99], connect_timeout + 1) << name;
    expect_no_client_notices(f, name);
  }
}

}  // namespace
}  // namespace cooldown::bench
