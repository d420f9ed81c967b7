// The provider's side of one model's quota: admits or refuses requests, and settles their actual use. Pure: no I/O and
// no clock, so that a benchmark can drive it with simulated time. `now` is in ns since the simulation's epoch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cooldown/sim/limits.hpp"
#include "cooldown/sim/meter.hpp"

namespace cooldown::sim {

// The known facts about a request when it arrives, in tokens.
struct request_facts {
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;          // part of the input that is in the provider's cache
  std::optional<std::int64_t> max_output;  // max_completion_tokens or max_tokens; 0 for an embedding
  bool stream = false;
};

// The actual use of a request, in tokens.
struct token_usage {
  std::int64_t input = 0;
  std::int64_t cached = 0;  // part of the input
  std::int64_t output = 0;
};

// Tokens charged to each bucket.
struct token_cost {
  std::int64_t uncached = 0;
  std::int64_t total = 0;
  std::int64_t input = 0;  // uncached
  std::int64_t output = 0;
};

// What a request of this cost takes of a limit.
std::int64_t amount_of(resource what, const token_cost& cost);

// The state of one limit, as headers may show it.
struct quota_reading {
  resource what = resource::requests;
  window per = window::minute;
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  nanoseconds reset_after{0};
};

struct reservation {
  charge_stamp stamp;
  token_cost cost;
  std::uint64_t generation = 0;
};

struct admitted {
  reservation held;
  std::vector<quota_reading> readings;  // after this reservation
};

struct refused {
  resource what = resource::requests;  // the limit that takes longest to have room
  window per = window::minute;
  std::optional<nanoseconds> retry_after;  // exact; nothing if the request never fits
  std::vector<quota_reading> readings;
};

using admission_answer = std::variant<admitted, refused>;

// Since the start, or since the last reset.
struct quota_counters {
  std::uint64_t admissions = 0;
  std::map<limit_id, std::uint64_t> refusals{};
  std::uint64_t load_refusals = 0;
  std::int64_t tokens_reserved = 0;  // uncached, at admission
  std::int64_t tokens_used = 0;      // uncached, when settled
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t in_flight = 0;  // admitted, not yet settled
  std::optional<nanoseconds> first_admission;
  std::optional<nanoseconds> last_admission;
};

class model_quota {
 public:
  model_quota(const model_limits& limits, const quota_rules& rules);

  // A refused request costs nothing.
  admission_answer admit(const request_facts& facts, nanoseconds now);

  // To be called once for every reservation: refunds unused tokens, and charges those used beyond it.
  void settle(const reservation& held, const token_usage& actual, nanoseconds now);

  // Somebody else on the account uses this much of all limits, or of none: false if it does not fit.
  bool take(std::int64_t requests, std::int64_t tokens, nanoseconds now);

  // Uses up this much of one limit, if it exists.
  void spend(limit_id which, std::int64_t amount, nanoseconds now);

  // The charge for `facts` at admission.
  token_cost cost_of(const request_facts& facts) const;

  // The earliest time, `now` or later, at which one request of `cost` would be admitted if nothing else happens
  // meanwhile; nothing if never.
  std::optional<nanoseconds> next_admission(const token_cost& cost, nanoseconds now) const;

  std::vector<quota_reading> readings(nanoseconds now);

  // Changes limits at run time; what was used of a remaining limit stays used.
  void set_limits(const model_limits& limits, nanoseconds now);
  const model_limits& limits() const { return limits_; }
  // As set_limits, with the initial limits multiplied by `factor`.
  void scale_limits(double factor, nanoseconds now);

  // Refills everything and zeroes the counters; reservations from before are forgotten.
  void reset(nanoseconds now);

  // Counts a refusal for lack of capacity, which is not due to a limit.
  void count_load_refusal() { ++counters_.load_refusals; }

  const quota_counters& counters() const { return counters_; }

 private:
  struct budget {
    resource what;
    window per;
    std::unique_ptr<meter> amounts;
  };

  budget* find(resource what, window per);
  void apply(resource what, window per, std::int64_t limit, nanoseconds now);
  void apply_limits(nanoseconds now);

  model_limits limits_;
  model_limits at_start_;
  quota_rules rules_;
  std::vector<budget> budgets_;
  std::uint64_t sequence_ = 0;
  std::uint64_t generation_ = 0;
  quota_counters counters_;
};

}  // namespace cooldown::sim
