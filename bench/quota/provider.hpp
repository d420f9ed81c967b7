// The upstream: the simulator's admission code with simulated time, somebody else's traffic, and headers that go
// astray.
#pragma once

#include <functional>
#include <random>
#include <variant>
#include <vector>

#include "quota/call.hpp"
#include "quota/event_loop.hpp"

namespace cooldown::bench {

class provider {
 public:
  /// `changed` is called whenever somebody was charged or refunded, or limits changed.
  provider(event_loop& loop, const workload& w, unsigned seed, duration length, std::function<void()> changed);

  /// The request arrives: charges `c.held`, or refuses. nullopt: admitted, and `headers` is what its answer carries.
  std::optional<provider_refusal> arrive(call& c, rate_headers& headers);

  /// The answer is over, or its client left in the middle: `output` tokens were generated.
  void settle(call& c, int output);

  std::optional<time_point> admissible_at(const call& c);
  wall_time wall() const { return wall_at_start_ + loop_.elapsed(); }
  double tokens_used() const { return used_; }

  /// What a refusal of `c` was about, for a trace.
  std::int64_t cost_of(const call& c) { return quota_of(c).cost_of(c.facts).uncached; }
  std::int64_t left_for(const call& c);

 private:
  sim::nanoseconds now() const { return loop_.elapsed(); }
  sim::model_quota& quota_of(const call& c) { return models_[static_cast<std::size_t>(c.model)]; }
  bool chance(double share);
  bool overloaded(const call& c);
  provider_refusal error_answer(const call& c, unsigned status, const sim::api_error& error);
  provider_refusal quota_refusal(const call& c, const sim::refused& no);
  std::vector<sim::quota_reading> told(int model, std::vector<sim::quota_reading> readings);
  rate_headers shown(int model, const std::vector<sim::quota_reading>& readings);
  void spend();
  void change_limits(double factor);
  void foreign_tick();

  struct snapshot {
    sim::nanoseconds taken{0};
    std::vector<sim::quota_reading> readings;
  };

  event_loop& loop_;
  const provider_settings& w_;
  std::function<void()> changed_;
  std::mt19937_64 random_;
  wall_time wall_at_start_;
  std::vector<sim::model_quota> models_;
  std::vector<snapshot> snapshots_;  // of each model, where headers are not fresh
  std::mt19937_64 fate_;             // of errors
  bool anomaly_told_ = false;
  double foreign_wanted_ = 0;  // requests
  double used_ = 0;
};

}  // namespace cooldown::bench
