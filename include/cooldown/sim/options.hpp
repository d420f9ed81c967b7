// The command-line options of cerebras-sim.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/sim/fault.hpp"
#include "cooldown/sim/provider_settings.hpp"

namespace cooldown::sim {

struct sim_options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;  // 0: any free one
  std::string tls_cert;       // PEM files; both or none
  std::string tls_key;

  std::vector<model_spec> models;
  bool any_model = false;
  std::int64_t rps = 0;        // for every model without its own
  provider_settings provider;  // its limits apply to models without their own
  nanoseconds run{0};          // length of a run; changes of limits are at fractions of it

  std::chrono::milliseconds ttft{50};
  double speed = 2000;  // output tokens per second; 0: all at once
  std::int64_t reply_tokens = 200;

  std::vector<fault> faults;
  std::uint64_t seed = 1;
  std::vector<std::string> api_keys;  // each an account with quotas of its own; none: every key is of the same
  bool quiet = false;
};

// Parses the command line. Returns an exit code if the program has to end (help, version, or an error, which it has
// printed), else nothing.
std::optional<int> parse_command_line(int argc, const char* const* argv, sim_options& options);

}  // namespace cooldown::sim
