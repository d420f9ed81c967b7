// The options of cerebras-sim, for CLI11: their names, types and descriptions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cooldown/sim/options.hpp"

namespace cooldown::sim {

// What the command line says that has to be brought into another form, or checked by what else it says.
struct words {
  std::string listen = "127.0.0.1:9090";
  std::string provider_file;
  std::string dialect;
  std::vector<std::string> models;
  std::vector<std::string> faults;
  std::optional<refusal_style> refusal;
  std::optional<int> retry_after;
  std::optional<double> headers_until;
  std::optional<double> chars_per_token;
  std::int64_t ttft = 50;
};

// Each adds some of the options; parsing writes into `options` and `said`, which live until then.
void add_provider(CLI::App& app, sim_options& options, words& said);
void add_answers(CLI::App& app, sim_options& options, words& said);
void add_server(CLI::App& app, sim_options& options, words& said);

}  // namespace cooldown::sim
