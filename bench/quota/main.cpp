// The schedule, measured: hours of traffic in seconds on the pure core, against the simulator's admission rules and
// with a simulated clock. docs/schedule.md explains the columns.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "quota/experiment.hpp"
#include "quota/report.hpp"

namespace {

using namespace cooldown::bench;

struct arguments {
  std::string workload;
  int seconds = 120;
  unsigned seed = 1;
  unsigned seeds = 1;
  bool trace = false;
  bool ours_only = false;
  bool list = false;
  std::string csv_file;
};

result_row measure(const workload& w, contestant who, const std::vector<double>& best, const arguments& a) {
  std::vector<figures> runs;
  for (unsigned i = 0; i < a.seeds; ++i) {
    auto const o = run_experiment(
        w, {.who = who, .length = std::chrono::seconds{a.seconds}, .seed = a.seed + i, .trace = a.trace});
    runs.push_back(figures_of(o, best[i], w.unequal));
  }
  return {w.name, name_of(who), mean_of(runs), worst_of(runs)};
}

using file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

int run(const arguments& a) {
  file out(nullptr, std::fclose);
  if (!a.csv_file.empty()) {
    out.reset(std::fopen(a.csv_file.c_str(), "w"));
    if (!out) {
      std::fprintf(stderr, "quota: cannot write %s: %s\n", a.csv_file.c_str(), std::strerror(errno));
      return 1;
    }
    csv(out.get()).head();
  }
  auto contestants = std::vector{contestant::ours, contestant::seed, contestant::direct};
  if (a.ours_only) contestants.resize(1);
  table const shown(stdout);
  bool found = false;
  if (!a.list) shown.head();
  for (auto const& w : all_workloads()) {
    if (w.name.find(a.workload) == std::string::npos) continue;
    found = true;
    if (a.list) {
      std::printf("%s\n", w.name.c_str());
      continue;
    }
    std::vector<double> best;
    for (unsigned i = 0; i < a.seeds; ++i) {
      best.push_back(
          run_experiment(w,
                         {.who = contestant::omniscient, .length = std::chrono::seconds{a.seconds}, .seed = a.seed + i})
              .tokens);
    }
    for (auto const who : contestants) {
      auto const row = measure(w, who, best, a);
      shown.row(row, a.seeds > 1 && who == contestant::ours);
      if (out) csv(out.get()).row(row);
    }
  }
  if (found) return 0;
  std::fprintf(stderr, "quota: no workload is named like '%s'; --list names them\n", a.workload.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures the schedule in simulated time (docs/schedule.md).");
  arguments a;
  app.add_option("workload", a.workload, "part of the names of the workloads to run");
  app.add_option("--seconds", a.seconds, "length of each run")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seed", a.seed, "the first one")->capture_default_str();
  app.add_option("--seeds", a.seeds, "runs, of which mean and worst are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--trace", a.trace, "print every refusal of the provider's");
  app.add_option("--csv", a.csv_file, "write the figures there as well");
  app.add_flag("--ours-only", a.ours_only, "leave out the other schedulers");
  app.add_flag("--list", a.list, "print the names of the workloads");
  CLI11_PARSE(app, argc, argv);
  return run(a);
}
