// Reads the text of a refusal: which limit, its size, and when to try again.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

struct refusal_text {
  std::optional<resource> counts;
  std::optional<window> over;
  bool per_second = false;                 // a limit per second
  bool at_once = false;                    // a concurrency limit
  std::optional<std::uint64_t> limit;      // as named in the text
  std::optional<std::uint64_t> requested;  // by this request
  std::optional<duration> wait;            // "try again in …"
};

/// Reads sentences like "Rate limit reached for `m` on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500.
/// Please try again in 1.02s.", in the forms of the providers in docs/api.md. Takes time linear in the text, of
/// which only the first 4 KiB are read.
refusal_text read_refusal_text(std::string_view text);

}  // namespace cooldown
