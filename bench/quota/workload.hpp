// A workload: a simulated provider, the limits configured at the proxy, and groups of clients. Files describe it
// (workload_file.hpp); the defaults here apply to whatever a file leaves out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/schedule/routing.hpp"
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
  poisson,  // requests come at random, independent of earlier ones
  bursts,   // all connections send requests at the same moments
};

/// A share of the clients disconnects if the answer is not complete in time.
struct cancellation {
  double share;
  duration_range after{std::chrono::seconds{1}, std::chrono::seconds{10}};
};

/// Names of the limits that may be configured in addition to requests and tokens a minute.
inline constexpr std::pair<const char*, limit_id> configurable[] = {
    {"rph", limit_id{resource::requests, window::hour}},
    {"rpd", limit_id{resource::requests, window::day}},
    {"tph", limit_id{resource::tokens, window::hour}},
    {"tpd", limit_id{resource::tokens, window::day}},
    {"total_tpm", limit_id{resource::total_tokens, window::minute}},
    {"total_tph", limit_id{resource::total_tokens, window::hour}},
    {"total_tpd", limit_id{resource::total_tokens, window::day}},
};

/// Connections that behave alike.
struct client_group {
  int connections = 24;
  bool one_client = true;  // all belong to one client; otherwise each is a client
  pace how = pace::closed;
  duration pause{0};                          // closed: mean, exponentially distributed
  double rate = 1;                            // poisson: requests a second, of the whole group
  duration every = std::chrono::seconds{30};  // bursts: time between them
  range input_chars{100, 2000};
  std::optional<double>
      tail;  // the input is Pareto distributed within its range, with this exponent; nullopt: uniformly
  std::optional<range> max_output = range{200, 400};  // max_completion_tokens
  int images = 0;                                     // in each input
  int image_tokens = 765;                             // tokens per image
  int choices = 1;                                    // `n`: number of answers, each of `reply`
  int reply = 200;                                    // tokens, unless the maximum is lower
  std::optional<double> reply_tail;                   // it is Pareto distributed from `reply` up, with this exponent
  duration time_per_token = std::chrono::microseconds{500};
  std::optional<double> cached;  // share of the input; nullopt: the provider's
  std::optional<cancellation> cancel;
  int model = 0;
  std::uint8_t urgency = 3;
  double weight = 1;
  bool watched = false;  // its p95 wait is reported on its own
};

/// A time in which an upstream, or one of its accounts, does not serve.
struct outage {
  enum class kind : std::uint8_t {
    revoked,      // the key is refused: 401
    refused,      // no connection, at once
    silent,       // no connection, after the connect timeout
    unavailable,  // 503
  };
  kind how = kind::unavailable;
  duration from{0};
  duration until = duration::max();
  std::optional<int> account;  // nullopt: all
};

/// A provider, and what is configured of it at the proxy.
struct upstream {
  sim::provider_settings provider{};
  double rpm_limit = 1e6;
  double tpm_limit = 60'000;
  configured_limits configured{};  // further limits
  int accounts = 1;                // each has such a quota
  std::vector<outage> outages{};
};

/// The first upstream is the workload itself.
struct workload : upstream {
  std::string name;
  duration length = std::chrono::minutes{30};
  std::vector<upstream> others{};  // in the order of preference
  routing_rules routing{};
  duration skew{0};  // how far our wall clock is ahead of the provider's
  std::vector<client_group> groups{client_group{}};
  bool unequal = false;  // clients are not meant to get equal shares: no Jain's index
  /// A restart of the proxy. `keep`: it keeps what it has learned; otherwise it forgets everything.
  struct restart {
    duration at{0};
    bool keep = false;
    bool operator==(const restart&) const = default;
  };
  std::vector<restart> restarts{};
};

/// An account of an upstream.
struct destination {
  std::size_t upstream;  // 0: the first
  int account;
  const bench::upstream* of;
};

inline std::vector<destination> destinations_of(const workload& w) {
  std::vector<destination> all;
  for (std::size_t i = 0; i <= w.others.size(); ++i) {
    const upstream& of = i == 0 ? w : w.others[i - 1];
    for (int account = 0; account < of.accounts; ++account) all.push_back({i, account, &of});
  }
  return all;
}

}  // namespace cooldown::bench
