// How many refusals at once a hidden limit costs.
#include <algorithm>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "quota/experiment.hpp"
#include "quota/outcome.hpp"
#include "quota/workload_file.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1h};

TEST(RefusedAtOnce, AreThoseSentBeforeTheFirstWasHeardOf) {
  outcome o;
  o.was_refused(start, start + 10ms);
  o.was_refused(start + 5ms, start + 15ms);
  o.was_refused(start + 10ms, start + 20ms);
  o.was_refused(start + 11ms, start + 21ms);
  EXPECT_EQ(o.refused, 4U);
  EXPECT_EQ(figures_of(o, 1, false)[figure::at_once], 3);
}

workload starting_with(const std::string& prefix) {
  static auto const loaded = load_workloads(COOLDOWN_WORKLOADS);
  auto const& all = std::get<std::vector<workload>>(loaded);
  auto const found = std::find_if(all.begin(), all.end(), [&](auto const& w) { return w.name.starts_with(prefix); });
  if (found == all.end()) throw std::runtime_error("there is no workload " + prefix);
  return *found;
}

TEST(RefusedAtOnce, AreFewWhereALimitIsHidden) {
  for (auto const* const name : {"A2 ", "C2 ", "C3 ", "Y1 ", "J1 ", "J2 "})
    for (unsigned seed = 1; seed <= 3; ++seed) {
      auto const w = starting_with(name);
      auto const f =
          figures_of(run_experiment(w, {.who = contestant::ours, .length = 1800s, .seed = seed}), 1, w.unequal);
      EXPECT_LE(f[figure::at_once], 3) << name << "seed " << seed;
      EXPECT_LE(f[figure::refusals], 0.1) << name << "seed " << seed;
    }
}

}  // namespace
}  // namespace cooldown::bench
