// The settings of a simulated provider: plain values, which the bench's workloads and `cerebras-sim --provider` read
// from the same file (docs/schedule.md). The defaults here apply to whatever a file leaves out.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cooldown/sim/limits.hpp"
#include "cooldown/sim/rate_headers.hpp"

namespace cooldown::sim {

/// Inclusive, as are all ranges.
struct range {
  int low;
  int high;
};

struct duration_range {
  nanoseconds low{0};
  nanoseconds high{0};
};

/// When something applies: from `from` until `until`, in every period of `every`, if given.
struct timetable {
  nanoseconds from{0};
  std::optional<nanoseconds> until;
  std::optional<nanoseconds> every;

  bool always() const { return from == nanoseconds{0} && !until; }
  nanoseconds phase_of(nanoseconds t) const { return every ? t % *every : t; }
  bool covers(nanoseconds t) const { return phase_of(t) >= from && (!until || phase_of(t) <= *until); }
  /// When the state at `t` ends.
  std::optional<nanoseconds> end_after(nanoseconds t) const {
    if (!until) return std::nullopt;
    return t - phase_of(t) + *until + nanoseconds{1};
  }
};

/// Use by others of the account: tokens, requests, or requests with tokens.
struct foreign_use {
  std::int64_t tpm = 0;
  std::int64_t rpm = 0;
  timetable when{};
};

/// From then on, every limit is multiplied by `factor`.
struct limit_change {
  double at;  // share of the run
  double factor;
};

/// The part of a limit that is used up at the start.
struct spent_share {
  limit_id which;
  double share;
};

/// The share of requests refused for lack of capacity.
struct load_refusals {
  double share = 0;
  timetable when{};
};

/// One header shows a remaining of that multiple of the limit.
struct header_anomaly {
  nanoseconds at{0};
  double factor = 1;
};

/// What a 429 for quota carries.
enum class refusal_style : std::uint8_t {
  bare,     // no rate-limit headers
  telling,  // with them
  generic,  // without them, and the body names neither code nor type
};

struct dialect_profile;

struct provider_settings {
  const dialect_profile* dialect = nullptr;  // another provider's headers and refusals; nullptr: Cerebras'
  model_limits limits{.tpm = 60'000};
  int models = 1;  // each with its own limits
  quota_rules rules{};
  int concurrency = 0;  // per model; more at once are refused for lack of capacity; 0: no bound
  double tokens_per_char = 0.25;
  double token_noise = 0;  // sigma of the logarithm
  double cached = 0;       // share of every input, unless clients have their own
  std::vector<spent_share> spent{};
  std::optional<foreign_use> foreign{};
  std::vector<limit_change> changes{};

  header_style headers = header_style::plain;
  double headers_missing = 0;  // share of the answers without them
  nanoseconds headers_until = nanoseconds::max();
  nanoseconds headers_stale{0};           // maximum age of their values
  duration_range headers_late{};          // delay of response heads
  std::vector<limit_id> hidden{};         // limits that no header shows
  bool headers_on_errors = false;         // on 4xx and 5xx as well
  std::optional<nanoseconds> reset_says;  // constant value of every reset
  std::optional<header_anomaly> anomaly;

  refusal_style refusals = refusal_style::bare;
  std::optional<header_style> refusal_headers;    // of telling refusals; nullopt: as other answers
  std::optional<std::string> retry_after = "60";  // as sent with a 429; nullopt: the exact time, rounded up
  std::optional<load_refusals> load;
  std::optional<std::string> load_retry_after;  // nullopt: not sent
  std::optional<bool> load_should_retry;        // x-should-retry; nullopt: not sent
  double bad_requests = 0;                      // share of the requests that are answered 400
  double failures = 0;                          // share of the attempts that are answered 503
  double usage_missing = 0;                     // share of the answers
};

}  // namespace cooldown::sim
