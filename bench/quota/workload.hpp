// What is asked of the schedule: a provider with its rules and moods, what is configured at the proxy, and groups of
// clients. Files describe it (workload_file.hpp); what a file leaves out is as here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/sim/provider_settings.hpp"
#include "cooldown/time.hpp"

namespace cooldown::bench {

using sim::duration_range;
using sim::range;

inline range in_ms(duration_range r) {
  using std::chrono::milliseconds;
  return {static_cast<int>(r.low / milliseconds{1}), static_cast<int>(r.high / milliseconds{1})};
}

enum class pace : std::uint8_t {
  closed,   // the next request follows the answer, after a pause
  poisson,  // requests come at random, whatever becomes of the earlier ones
  bursts,   // every connection asks at the same moments
};

/// Some clients disconnect when they have waited so long for the end of the answer.
struct cancellation {
  double share;
  duration_range after{std::chrono::seconds{1}, std::chrono::seconds{10}};
};

/// Limits that may be configured beside requests and tokens a minute, by their names.
inline constexpr std::pair<const char*, std::size_t> configurable[] = {
    {"rph", slot_of(resource::requests, window::hour)},
    {"rpd", slot_of(resource::requests, window::day)},
    {"tph", slot_of(resource::tokens, window::hour)},
    {"tpd", slot_of(resource::tokens, window::day)},
    {"total_tpm", slot_of(resource::total_tokens, window::minute)},
    {"total_tph", slot_of(resource::total_tokens, window::hour)},
    {"total_tpd", slot_of(resource::total_tokens, window::day)},
};

/// Connections that behave alike.
struct client_group {
  int connections = 24;
  bool one_client = true;  // all of them belong to one client; otherwise each is a client of its own
  pace how = pace::closed;
  duration pause{0};                          // closed: mean, exponentially distributed
  double rate = 1;                            // poisson: requests a second, of the whole group
  duration every = std::chrono::seconds{30};  // bursts: from one to the next
  range input_chars{100, 2000};
  std::optional<double> tail;  // the input is Pareto distributed within its range, with this exponent; absent: uniform
  std::optional<range> max_output = range{200, 400};  // max_completion_tokens
  int images = 0;                                     // in each input
  int image_tokens = 765;                             // that one of them counts as
  int choices = 1;                                    // `n`: so many answers, each of `reply`
  int reply = 200;                                    // tokens, unless the maximum is lower
  std::optional<double> reply_tail;                   // it is Pareto distributed from there, with this exponent
  duration time_per_token = std::chrono::microseconds{500};
  std::optional<double> cached;  // share of the input; absent: as the provider says
  std::optional<cancellation> cancel;
  int model = 0;
  std::uint8_t urgency = 3;
  double weight = 1;
  bool watched = false;  // its p95 wait is reported on its own
};

struct workload {
  std::string name;
  duration length = std::chrono::minutes{30};
  sim::provider_settings provider{};
  double rpm_limit = 1e6;  // as configured at the proxy
  double tpm_limit = 60'000;
  configured_limits configured{};  // beyond these two
  duration skew{0};                // our wall clock runs ahead of the provider's by this
  std::vector<client_group> groups{client_group{}};
  bool unequal = false;  // clients are not meant to get the same: Jain's index says nothing
  /// Of the proxy. `keep`: it goes on with what it has learned; otherwise all of that is lost.
  struct restart {
    duration at{0};
    bool keep = false;
    bool operator==(const restart&) const = default;
  };
  std::vector<restart> restarts{};
};

}  // namespace cooldown::bench
