// The limits and rules of a simulated account: plain values, no behaviour.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cooldown/limit/limit_id.hpp"

namespace cooldown::sim {

using std::chrono::nanoseconds;

enum class refill_rule : std::uint8_t {
  bucket,   // continuous: limit / period, never above the limit
  window,   // all at once, at ends of periods of the wall clock
  sliding,  // whatever was admitted within the last period counts
};

inline constexpr std::array<std::pair<std::string_view, refill_rule>, 3> refill_names{
    {{"bucket", refill_rule::bucket}, {"window", refill_rule::window}, {"sliding", refill_rule::sliding}}};

// What a request is charged at admission, before its real length is known.
enum class cost_rule : std::uint8_t {
  documented,       // input + max_completion_tokens, or + a default estimate without a maximum
  measured,         // min(max_completion_tokens, 16384), or 16384 without a maximum; + the input only if it is large
  completion_only,  // as documented, without the input, which is never charged
  at_end,           // nothing; the completion's tokens are charged at the end
};

// Limits of one model in requests or tokens per period; 0 means that there is no such limit.
struct model_limits {
  std::int64_t rps = 0;  // never shown in a header
  std::int64_t rpm = 0;
  std::int64_t rph = 0;
  std::int64_t rpd = 0;
  std::int64_t tpm = 0;
  std::int64_t tph = 0;
  std::int64_t tpd = 0;
  double total_factor = 0;  // > 0: a second bucket of total tokens, this many times as large
  std::vector<std::pair<limit_id, std::int64_t>> others{};
};

// How the quota of every model of an account works.
struct quota_rules {
  refill_rule refill = refill_rule::bucket;
  cost_rule cost = cost_rule::documented;
  std::int64_t default_max_tokens = 16384;  // the documented rule's estimate of an output without a maximum
  std::int64_t foreign_tpm = 0;             // tokens per minute that somebody else uses steadily
  nanoseconds wall_at_epoch{0};             // the wall clock (since 1970, UTC) when `now` was 0
};

// One model of the account.
struct model_spec {
  std::string name;
  model_limits limits;
};

inline constexpr std::int64_t measured_output_cap = 16384;
inline constexpr std::int64_t measured_free_input = 1000;

inline constexpr std::string_view limit_names[] = {"rps", "rpm", "rph", "rpd", "tpm", "tph", "tpd"};

// The limit named `key` ("rpm", "tpd", ...), or nullptr.
std::int64_t* find_limit(model_limits& limits, std::string_view key);

// All limits multiplied by `factor`; none becomes 0.
model_limits scaled(model_limits limits, double factor);

// The limit named `key`; nothing if there is no such name.
std::optional<limit_id> limit_id_of(std::string_view key);

// Reads "NAME,rpm=30,tpm=60000,total=3". On failure returns nothing, and `error` says why.
std::optional<model_spec> parse_model_spec(std::string_view text, std::string& error);

// As name_of(), with hyphens: "total-tokens".
std::string name(resource r);

}  // namespace cooldown::sim
