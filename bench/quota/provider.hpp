// The upstream: the simulator's provider on the bench's event loop.
#pragma once

#include <functional>
#include <vector>

#include "cooldown/sim/provider.hpp"

#include "quota/call.hpp"
#include "quota/event_loop.hpp"

namespace cooldown::bench {

class provider {
 public:
  /// `changed` is called after every charge, refund or change of limits.
  provider(event_loop& loop, const sim::provider_settings& settings, unsigned seed, duration length,
           std::function<void()> changed);

  /// The request arrives: charges `c.held`, or refuses. nullopt: admitted, and `headers` are those of its answer.
  std::optional<refusal> arrive(call& c, rate_headers& headers);

  /// The answer has ended, or its client has disconnected: `output` tokens were generated.
  void settle(call& c, int output);

  std::optional<time_point> admissible_at(const call& c);
  wall_time wall() const { return wall_at_start_ + loop_.elapsed(); }
  double tokens_used() const { return used_; }

  /// The limit that refused `c`, for a trace.
  std::int64_t cost_of(const call& c) { return quota_of(c).cost_of(c.facts).uncached; }
  std::int64_t left_for(const call& c);

 private:
  sim::nanoseconds now() const { return loop_.elapsed(); }
  sim::model_quota& quota_of(const call& c) { return *models_[static_cast<std::size_t>(c.model)]; }
  void arm();

  event_loop& loop_;
  std::function<void()> changed_;
  wall_time wall_at_start_;
  sim::provider provider_;
  std::vector<sim::model_quota*> models_;
  double used_ = 0;
};

}  // namespace cooldown::bench
