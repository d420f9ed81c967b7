// What is asked of the schedule: a provider with its rules and moods, and groups of clients.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/core/time.hpp"
#include "cooldown/sim/rate_headers.hpp"

namespace cooldown::bench {

struct range {
  int low;
  int high;
};

enum class pace : std::uint8_t {
  closed,   // the next request follows the answer, after a pause
  poisson,  // requests come at random, whatever becomes of the earlier ones
  bursts,   // every connection asks at the same moments
};

/// Connections that behave alike.
struct client_group {
  int connections = 24;
  bool one_client = true;  // all of them belong to one client; otherwise each is a client of its own
  pace how = pace::closed;
  duration pause{0};  // closed: mean, exponentially distributed
  double rate = 0;    // poisson: requests a second, of the whole group
  duration every{0};  // bursts: from one to the next
  range input_chars{100, 2000};
  std::optional<range> max_output = range{200, 400};  // max_completion_tokens
  int reply = 200;                                    // tokens, unless the maximum is lower
  int model = 0;
  std::uint8_t urgency = 3;
  double weight = 1;
  double cancels = 0;  // share of the requests whose client leaves, if it has to wait so long for the end
  range cancel_after_ms{1000, 10'000};
  bool watched = false;  // its p95 wait is reported on its own
};

/// Somebody else on the same account, who takes `tpm` for the first half of each period and nothing in the second.
struct foreign_bursts {
  std::int64_t tpm;
  duration period;
};

/// From a share of the run on, every limit is this many times as large as at the start.
struct limit_change {
  double at;
  double factor;
};

struct workload {
  std::string name;

  sim::model_limits limits{.tpm = 60'000};
  int models = 1;  // each with limits of its own
  sim::quota_rules rules{};
  double chars_per_token = 4;
  double spent = 0;  // share of the minute's tokens that is gone at the start, lest what is left over hide the arrivals
  std::optional<foreign_bursts> foreign{};
  std::vector<limit_change> changes{};

  sim::header_style headers = sim::header_style::plain;
  bool bare_refusals = true;  // 429 with retry-after: 60 and nothing else; false: with headers and the exact time
  duration headers_until = duration::max();
  double headers_missing = 0;  // share of the answers without them
  range head_delay_ms{0, 0};   // how much later a response head arrives
  duration skew{0};            // our wall clock runs ahead of the provider's by this

  double rpm_limit = 1e6;  // as configured at the proxy
  double tpm_limit = 60'000;

  std::vector<client_group> groups{client_group{}};
  bool unequal = false;  // clients are not meant to get the same: Jain's index says nothing
};

std::vector<workload> all_workloads();

}  // namespace cooldown::bench
