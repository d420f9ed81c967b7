// What is asked of the schedule: a provider with its rules and moods, what is configured at the proxy, and groups of
// clients. Files describe it (workload_file.hpp); what a file leaves out is as here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/sim/rate_headers.hpp"
#include "cooldown/time.hpp"

namespace cooldown::bench {

struct range {
  int low;
  int high;
};

struct duration_range {
  duration low;
  duration high;
};

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
  int reply = 200;                                    // tokens, unless the maximum is lower
  duration time_per_token = std::chrono::microseconds{500};
  double cached = 0;  // share of the input
  std::optional<cancellation> cancel;
  int model = 0;
  std::uint8_t urgency = 3;
  double weight = 1;
  bool watched = false;  // its p95 wait is reported on its own
};

/// When something is the case: from `from` until `until`, in every period of `every`, if there is one.
struct timetable {
  duration from{0};
  std::optional<duration> until;
  std::optional<duration> every;

  bool always() const { return from == duration{0} && !until; }
  duration phase_of(duration t) const { return every ? t % *every : t; }
  bool covers(duration t) const { return phase_of(t) >= from && (!until || phase_of(t) <= *until); }
  /// When what is the case at `t` ends.
  std::optional<duration> end_after(duration t) const {
    if (!until) return std::nullopt;
    return t - phase_of(t) + *until + duration{1};
  }
};

/// Somebody else on the same account: tokens, requests, or requests with tokens.
struct foreign_use {
  std::int64_t tpm = 0;
  std::int64_t rpm = 0;
  timetable when{};
};

/// From a share of the run on, every limit is this many times as large as at the start.
struct limit_change {
  double at;
  double factor;
};

/// So much of a limit is used up when the run starts.
struct spent_share {
  sim::limit_kind which;
  double share;
};

/// A share of the requests is refused for want of capacity.
struct load_refusals {
  double share = 0;
  timetable when{};
};

/// One header tells of so many times the limit.
struct header_anomaly {
  duration at{0};
  double factor = 1;
};

enum class refusal_style : std::uint8_t {
  bare,     // no rate-limit headers
  telling,  // with them
  generic,  // without them, and the body names neither code nor type
};

struct provider_settings {
  sim::model_limits limits{.tpm = 60'000};
  int models = 1;  // each with limits of its own
  sim::quota_rules rules{};
  int concurrency = 0;  // more at once are refused for want of capacity; 0: no bound
  double tokens_per_char = 0.25;
  double token_noise = 0;  // sigma of the logarithm
  std::vector<spent_share> spent{};
  std::optional<foreign_use> foreign{};
  std::vector<limit_change> changes{};

  sim::header_style headers = sim::header_style::plain;
  double headers_missing = 0;  // share of the answers without them
  duration headers_until = duration::max();
  duration headers_stale{0};           // they may be so old
  duration_range headers_late{};       // how much later a response head arrives
  bool headers_on_errors = false;      // on 4xx and 5xx as well
  std::optional<duration> reset_says;  // in place of every true reset
  std::optional<header_anomaly> anomaly;

  refusal_style refusals = refusal_style::bare;
  std::optional<std::string> retry_after = "60";  // as it is sent with a 429; absent: the exact time, rounded up
  std::optional<load_refusals> load;
  std::optional<std::string> load_retry_after;  // absent: none is sent
  double bad_requests = 0;                      // share of the requests that are answered 400
  double failures = 0;                          // share of the attempts that are answered 503
  double usage_missing = 0;                     // share of the answers
};

struct workload {
  std::string name;
  duration length = std::chrono::minutes{30};
  provider_settings provider{};
  double rpm_limit = 1e6;  // as configured at the proxy
  double tpm_limit = 60'000;
  configured_limits configured{};  // beyond these two
  duration skew{0};                // our wall clock runs ahead of the provider's by this
  std::vector<client_group> groups{client_group{}};
  bool unequal = false;              // clients are not meant to get the same: Jain's index says nothing
  std::vector<duration> restarts{};  // of the proxy: everything learned is lost
};

}  // namespace cooldown::bench
