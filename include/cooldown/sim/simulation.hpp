// The simulator without its sockets: options, provider, counters, clock and random numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "cooldown/sim/options.hpp"
#include "cooldown/sim/provider.hpp"

namespace cooldown::sim {

struct traffic_counters {
  std::uint64_t connections_accepted = 0;
  std::int64_t connections_open = 0;
  std::uint64_t requests_total = 0;  // without those to /sim/
  std::int64_t in_flight = 0;        // metered requests being answered
  std::uint64_t aborted = 0;         // metered requests whose client disconnected before the end
  std::uint64_t faults = 0;          // metered requests with an injected fault
};

class simulation {
 public:
  // Sets rules.wall_at_epoch from the system clock.
  explicit simulation(sim_options options);

  const sim_options& options() const { return options_; }
  provider& upstream() { return provider_; }
  admission& quotas() { return provider_.quotas(); }
  traffic_counters& traffic() { return traffic_; }

  // Since the start; steady.
  nanoseconds now() const { return std::chrono::steady_clock::now() - start_; }
  // The same, after performing the provider's events until then; to be called before its quotas are used.
  nanoseconds advance();
  // The wall clock at `t`, in s since 1970.
  double unix_time(nanoseconds t) const;

  // The faults of one metered request with this X-Sim-Fault header.
  fault_plan draw(std::string_view header);

  // A request for this quota arrives now.
  std::variant<grant, provider_refusal> arrive(model_quota& quota, const request_facts& facts);

  // "chatcmpl-" and a number: unique in this run.
  std::string next_id();

  // The endpoints under /sim/. `set_limits` answers false, and says why, if `body` is wrong.
  std::string stats();
  bool set_limits(std::string_view body, std::string& answer);
  void reset();

 private:
  sim_options options_;
  std::chrono::steady_clock::time_point start_;
  provider provider_;
  traffic_counters traffic_;
  std::mt19937_64 random_;
  std::uint64_t ids_ = 0;
};

}  // namespace cooldown::sim
