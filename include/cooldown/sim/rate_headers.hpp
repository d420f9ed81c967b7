// How the provider shows its limits: the generations of rate-limit headers, and the texts of refusals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cooldown/sim/model_quota.hpp"

namespace cooldown::sim {

enum class header_style : std::uint8_t {
  resets,       // documented in 2025: requests-day and tokens-minute with their resets
  all_resets,   // every limit with its reset
  plain,        // live in 2026: every limit, no reset
  two_buckets,  // as plain, but remaining-tokens-hour shows the total tokens
  none,
};

struct rate_header {
  std::string name;
  std::string value;
};

// `readings` as this generation of the API would send them.
std::vector<rate_header> render_headers(header_style style, const std::vector<quota_reading>& readings);

// Seconds as the API writes a reset: a bare decimal fraction with 17 significant digits.
std::string reset_text(nanoseconds value);

// A Date field (RFC 9110 §5.6.7).
std::string date_text(std::chrono::system_clock::time_point when);

// The fields of an error body; all strings, as the API sends them.
struct api_error {
  std::string message;
  std::string type;
  std::string param;
  std::string code;
};

// The error of a request refused by the limit (what, per). `two_buckets`: the account also has a limit of total tokens,
// so the message distinguishes the two.
api_error quota_error(resource what, window per, bool two_buckets);

// The error of a request refused for lack of capacity.
api_error load_error();

}  // namespace cooldown::sim
