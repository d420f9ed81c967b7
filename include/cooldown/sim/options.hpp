// What the command line of cerebras-sim says.
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
  std::int64_t rps = 0;        // for every model that sets none
  provider_settings provider;  // its limits are those of models that come without
  nanoseconds run{0};          // changes of limits come at shares of it

  std::chrono::milliseconds ttft{50};
  double speed = 2000;  // output tokens per second; 0: all at once
  std::int64_t reply_tokens = 200;

  std::vector<fault> faults;
  std::uint64_t seed = 1;
  std::string api_key;  // empty: every key is right
  bool quiet = false;
};

// Parses the command line. Returns an exit code when the program is to end at once (help, version, or a mistake, which
// it has printed then), else nothing.
std::optional<int> parse_command_line(int argc, const char* const* argv, sim_options& options);

}  // namespace cooldown::sim
