// Measures the schedule: hours of traffic in seconds, with the pure limiter, the simulator's provider and a simulated
// clock. docs/schedule.md explains workloads and columns.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "quota/describe.hpp"
#include "quota/experiment.hpp"
#include "quota/report.hpp"
#include "quota/workload_file.hpp"

namespace {

using namespace cooldown::bench;

struct arguments {
  std::string named;
  std::vector<std::string> paths;
  std::optional<int> seconds;
  unsigned seed = 1;
  unsigned seeds = 1;
  bool trace = false;
  bool ours_only = false;
  bool list = false;
  bool json = false;
  bool describe = false;
  std::string csv_file;
};

std::optional<std::vector<workload>> load(const arguments& a) {
  std::vector<workload> chosen;
  for (auto const& path : a.paths) {
    auto loaded = load_workloads(path);
    if (auto const* const error = std::get_if<workload_error>(&loaded)) {
      std::fprintf(stderr, "quota: %s\n", error->message.c_str());
      return std::nullopt;
    }
    for (auto& w : std::get<std::vector<workload>>(loaded)) {
      if (a.seconds) w.length = std::chrono::seconds{*a.seconds};
      if (w.name.find(a.named) != std::string::npos) chosen.push_back(std::move(w));
    }
  }
  if (!chosen.empty()) return chosen;
  std::fprintf(stderr, "quota: no workload is named like '%s'; --list names them\n", a.named.c_str());
  return std::nullopt;
}

outcome run_once(const workload& w, contestant who, unsigned seed, bool trace = false) {
  return run_experiment(w, {.who = who, .length = w.length, .seed = seed, .trace = trace});
}

result_row measure(const workload& w, contestant who, const std::vector<double>& best, const arguments& a) {
  std::vector<figures> runs;
  for (unsigned i = 0; i < a.seeds; ++i)
    runs.push_back(figures_of(run_once(w, who, a.seed + i, a.trace), best[i], w.unequal));
  return {w.name, name_of(who), mean_of(runs), worst_of(runs)};
}

using file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// Tokens that the omniscient scheduler used, by seed.
std::vector<double> possible_tokens(const workload& w, const arguments& a) {
  std::vector<double> all;
  for (unsigned i = 0; i < a.seeds; ++i) all.push_back(run_once(w, contestant::omniscient, a.seed + i).tokens);
  return all;
}

void describe(const workload& w, const arguments& a) {
  auto const all = possible_tokens(w, a);
  auto const mean = std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
  std::printf("%s\n", description_of(w, mean).c_str());
}

void run_one(const workload& w, const arguments& a, std::FILE* out) {
  auto const best = possible_tokens(w, a);
  auto contestants = std::vector{contestant::ours, contestant::seed, contestant::direct};
  if (a.ours_only || a.json) contestants.resize(1);
  for (auto const who : contestants) {
    auto const row = measure(w, who, best, a);
    if (a.json) {
      print_json(stdout, row, a.seeds > 1);
    } else {
      table(stdout).row(row, a.seeds > 1 && who == contestant::ours);
    }
    if (out != nullptr) csv(out).row(row);
  }
}

int run(const arguments& a) {
  auto const chosen = load(a);
  if (!chosen) return 1;
  if (a.list) {
    for (auto const& w : *chosen) std::printf("%s\n", w.name.c_str());
    return 0;
  }
  if (a.describe) {
    for (auto const& w : *chosen) describe(w, a);
    return 0;
  }
  file out(nullptr, std::fclose);
  if (!a.csv_file.empty()) {
    out.reset(std::fopen(a.csv_file.c_str(), "w"));
    if (!out) {
      std::fprintf(stderr, "quota: cannot write %s: %s\n", a.csv_file.c_str(), std::strerror(errno));
      return 1;
    }
    csv(out.get()).head();
  }
  if (!a.json) table(stdout).head();
  for (auto const& w : *chosen) run_one(w, a, out.get());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Measures the schedule in simulated time (docs/schedule.md).");
  arguments a;
  app.add_option("named", a.named, "part of the names of the workloads to run");
  app.add_option("--workload", a.paths, "a workload as YAML, or a directory of them; repeatable")
      ->take_all()
      ->default_str("those of the tree");
  app.add_option("--seconds", a.seconds, "length of each run, in place of the workload's")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--seed", a.seed, "the first one")->capture_default_str();
  app.add_option("--seeds", a.seeds, "runs, of which mean and worst are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--trace", a.trace, "print every refusal of the provider's");
  app.add_option("--csv", a.csv_file, "write the figures there as well");
  app.add_flag("--json", a.json, "print one JSON object a line and workload, of the limiter only");
  app.add_flag("--ours-only", a.ours_only, "leave out the other schedulers");
  app.add_flag("--describe", a.describe, "print each workload as JSON, with the tokens that its quota has room for");
  app.add_flag("--list", a.list, "print the names of the workloads");
  CLI11_PARSE(app, argc, argv);
  if (a.paths.empty()) a.paths = {COOLDOWN_WORKLOADS};
  return run(a);
}
