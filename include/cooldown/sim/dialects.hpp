// How providers show their limits and refuse, other than Cerebras: which limits there are, the headers of answers, and
// what a 429 carries. What each sends, and how sure that is, stands in docs/providers.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/sim/limits.hpp"
#include "cooldown/sim/provider_settings.hpp"
#include "cooldown/sim/rate_headers.hpp"

namespace cooldown::sim {

/// An answer, when its head is written.
struct dialect_answer {
  const std::vector<quota_reading>& readings;
  nanoseconds wall{0};  // since 1970
  bool stream = false;

  /// nullptr: there is no such limit.
  const quota_reading* find(limit_id which) const;
};

/// A request that a limit refused.
struct dialect_refused : dialect_answer {
  limit_id by;
  std::int64_t limit = 0;
  std::int64_t used = 0;
  std::int64_t requested = 0;
  nanoseconds retry_after{0};  // exact
};

struct dialect_429 {
  std::vector<rate_header> headers;
  std::string body;
};

struct dialect_profile {
  std::string_view name;
  model_limits limits;
  refill_rule refill = refill_rule::bucket;
  int concurrency = 0;  // 0: no bound
  std::vector<rate_header> (*shown)(const dialect_answer&);
  dialect_429 (*refused)(const dialect_refused&);
  bool shows_all = true;  // headers of every answer show what binds
  dialect_429 (*busy)(int concurrency) = nullptr;
};

/// From now on the provider is this one, with its limits.
void speak(provider_settings& provider, const dialect_profile& as);

std::span<const dialect_profile> dialects();
/// nullptr: there is none of that name.
const dialect_profile* find_dialect(std::string_view name);

}  // namespace cooldown::sim
