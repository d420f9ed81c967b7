// The table of workloads. A request of the usual client uses 262 + 200 tokens, so a minute of 60,000 has room for 130.
#include <chrono>

#include "quota/workload.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;
using sim::header_style;
using sim::refill_rule;

constexpr double requests_per_second = 60'000.0 / 60 / 462;  // that the usual quota can serve

workload usual(const char* name) {
  return {.name = name};
}

/// An account that tells as much as the documentation promises.
workload telling(const char* name, refill_rule refill = refill_rule::bucket) {
  auto w = usual(name);
  w.rules.refill = refill;
  w.headers = header_style::resets;
  w.bare_refusals = false;
  return w;
}

workload bare(const char* name, refill_rule refill) {
  auto w = usual(name);
  w.rules.refill = refill;
  return w;
}

void saturated(std::vector<workload>& all) {
  all.push_back(bare("bucket, no resets, bare 429s", refill_rule::bucket));
  all.push_back(telling("bucket, resets, telling 429s", refill_rule::bucket));
  all.push_back(bare("window, no resets, bare 429s", refill_rule::window));
  all.push_back(telling("window, resets, telling 429s", refill_rule::window));
  all.push_back(bare("sliding, no resets, bare 429s", refill_rule::sliding));
  all.push_back(telling("sliding, resets, telling 429s", refill_rule::sliding));
}

void arrivals(std::vector<workload>& all) {
  for (int const percent : {50, 90, 120}) {
    auto w = usual("");
    w.name = "poisson at " + std::to_string(percent) + "% of quota";
    w.spent = 0.97;
    w.groups[0].how = pace::poisson;
    w.groups[0].rate = requests_per_second * percent / 100;
    all.push_back(w);
  }
  auto bursts = usual("bursts of 60 every 30 s");
  bursts.spent = 0.9;
  bursts.groups[0].connections = 60;
  bursts.groups[0].how = pace::bursts;
  bursts.groups[0].every = 30s;
  all.push_back(bursts);
}

void sizes(std::vector<workload>& all) {
  auto agents = usual("agents: large prompts, cancellations");
  agents.limits.tpm = 150'000;
  agents.tpm_limit = 150'000;
  agents.groups = {{.connections = 8,
                    .pause = 2s,
                    .input_chars = {8'000, 60'000},
                    .max_output = range{4'000, 16'000},
                    .reply = 300,
                    .cancels = 0.2}};
  all.push_back(agents);
  auto maxima = usual("large maxima, small use");
  maxima.groups[0].max_output = range{4'000, 12'000};
  all.push_back(maxima);
  auto none = usual("no maximum given");
  none.groups[0].max_output.reset();
  all.push_back(none);
}

void several(std::vector<workload>& all) {
  auto two = usual("two models");
  two.models = 2;
  two.groups = {{.connections = 12}, {.connections = 12, .model = 1}};
  all.push_back(two);
  auto heavy = usual("one heavy, one light client");
  heavy.groups = {{.connections = 40, .one_client = true}, {.connections = 1, .pause = 5s, .watched = true}};
  all.push_back(heavy);
  auto weights = usual("two clients, weights 3 to 1");
  weights.groups = {{.connections = 12, .one_client = true, .weight = 3}, {.connections = 12, .one_client = true}};
  all.push_back(weights);
  auto priorities = usual("three priorities");
  priorities.unequal = true;
  priorities.groups = {{.connections = 4, .pause = 2s, .urgency = 1, .watched = true},
                       {.connections = 10, .urgency = 3},
                       {.connections = 10, .urgency = 6}};
  all.push_back(priorities);
}

void surprises(std::vector<workload>& all) {
  auto steady = usual("foreign consumer takes half");
  steady.rules.foreign_tpm = 30'000;
  all.push_back(steady);
  auto bursty = usual("foreign consumer in bursts");
  bursty.foreign = foreign_bursts{60'000, 30s};
  all.push_back(bursty);
  auto missing = usual("headers missing in half of answers");
  missing.headers_missing = 0.5;
  all.push_back(missing);
  auto late = usual("headers 3 s late");
  late.head_delay_ms = {3'000, 3'000};
  all.push_back(late);
  auto reordered = usual("headers reordered by up to 2 s");
  reordered.head_delay_ms = {0, 2'000};
  all.push_back(reordered);
  auto vanish = usual("headers vanish after 15 s");
  vanish.headers_until = 15s;
  all.push_back(vanish);
  auto halved = usual("limits halved, then doubled");
  halved.changes = {{1.0 / 3, 0.5}, {2.0 / 3, 2}};
  all.push_back(halved);
  for (auto const refill : {refill_rule::bucket, refill_rule::window}) {
    for (auto const skew : {2s, -2s}) {
      auto w = telling("", refill);
      w.name = std::string(refill == refill_rule::window ? "window" : "bucket") + ", clock " +
               (skew > 0s ? "2 s ahead" : "2 s behind");
      w.headers = refill == refill_rule::window ? header_style::plain : header_style::resets;
      w.skew = skew;
      all.push_back(w);
    }
  }
  auto spent = usual("quota spent before the start");
  spent.spent = 1;
  all.push_back(spent);
  auto day = usual("day quota exhausted, bare 429s");
  day.limits.tpd = 100'000;
  all.push_back(day);
  auto told = telling("day quota exhausted, resets");
  told.limits.tpd = 100'000;
  told.headers = header_style::all_resets;
  all.push_back(told);
}

void configuration(std::vector<workload>& all) {
  auto right = usual("rpm-bound, configured right");
  right.limits = {.rpm = 60, .rpd = 100'000, .tpm = 10'000'000};
  right.headers = header_style::resets;
  right.rpm_limit = 60;
  all.push_back(right);
  auto high = right;
  high.name = "rpm-bound, configured 5 times too high";
  high.rpm_limit = 300;
  all.push_back(high);
  auto low = usual("tpm configured 60 times too low");
  low.tpm_limit = 1'000;
  all.push_back(low);
  auto live = usual("live: measured cost, two buckets");
  live.limits = {
      .rpm = 300, .rph = 9000, .rpd = 100'000, .tpm = 60'000, .tph = 1'000'000, .tpd = 10'000'000, .total_factor = 3};
  live.rules.cost = sim::cost_rule::measured;
  live.headers = header_style::two_buckets;
  live.groups[0].max_output = range{500, 4'000};
  live.rpm_limit = 300;
  all.push_back(live);
}

}  // namespace

std::vector<workload> all_workloads() {
  std::vector<workload> all;
  saturated(all);
  arrivals(all);
  sizes(all);
  several(all);
  surprises(all);
  configuration(all);
  return all;
}

}  // namespace cooldown::bench
