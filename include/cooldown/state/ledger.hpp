// What was used, by whom, where and when: figures of a minute, added up until they are stored. Pure.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "cooldown/observe/access_record.hpp"
#include "cooldown/time.hpp"

namespace cooldown::state {

enum class figure : std::uint8_t {
  requests,
  prompt_tokens,
  cached_tokens,  // of the prompts
  completion_tokens,
  tokens,             // used, of answers that reported it
  reserved_tokens,    // for requests that ended
  upstream_refusals,  // 429s of the provider
  waited,             // requests that waited in the queue
  wait_seconds,
  waits_within_1s,  // requests that waited no longer than that, in disjoint classes
  waits_within_5s,
  waits_within_15s,
  waits_within_1m,
  waits_within_5m,
  waits_longer,
};
inline constexpr std::size_t figure_count = 15;
/// In the order of `figure`; also the names of the columns that store them.
extern const std::array<const char*, figure_count> figure_names;

using figures = std::array<double, figure_count>;

/// Adds `more` to `into`.
void add(figures& into, const figures& more);

struct usage_key {
  std::int64_t minute = 0;  // its start, in seconds since 1970 (UTC)
  std::string upstream;     // with the number of the account if there are several
  std::string model;
  std::string client;
  std::string outcome;  // observe::outcome_of(), or "error": the provider's, which was passed on
  auto operator<=>(const usage_key&) const = default;
};

using usage_rows = std::map<usage_key, figures>;

void add(usage_rows& into, const usage_rows& more);

class ledger {
 public:
  /// Requests that count against no quota are left out. `upstream`: where it was sent, if the record does not say.
  void record(const observe::access_record& r, const std::string& upstream, wall_time now);

  /// Returns what has come since the last call.
  usage_rows take();

 private:
  usage_rows rows_;
};

}  // namespace cooldown::state
