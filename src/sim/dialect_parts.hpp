// What several dialects send alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cooldown/sim/dialects.hpp"

namespace cooldown::sim {

using rate_headers_list = std::vector<rate_header>;

inline constexpr limit_kind rpm{resource::requests, period::minute};
inline constexpr limit_kind rpd{resource::requests, period::day};
inline constexpr limit_kind tpm{resource::tokens, period::minute};

inline std::int64_t seconds_up(nanoseconds d) {
  return std::chrono::ceil<std::chrono::seconds>(d).count();
}

/// As Go writes durations, rounded up to a millisecond: 1m26.4s, 370ms, 0s.
inline std::string go_duration(nanoseconds d) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  if (ms == 0) return "0s";
  if (ms < 1000) return fmt::format("{}ms", ms);
  std::string text;
  if (ms >= 3'600'000) text += fmt::format("{}h", ms / 3'600'000);
  if (ms >= 60'000) text += fmt::format("{}m", ms / 60'000 % 60);
  return text + fmt::format("{}s", static_cast<double>(ms % 60'000) / 1000);
}

/// `start`-limit-`unit` and so on.
inline void add_pair(rate_headers_list& out, const quota_reading* r, std::string_view unit,
                     std::string_view start = "x-ratelimit-") {
  if (r == nullptr) return;
  out.push_back({fmt::format("{}limit{}", start, unit), std::to_string(r->limit)});
  out.push_back({fmt::format("{}remaining{}", start, unit), std::to_string(r->remaining)});
}

inline void add_reset(rate_headers_list& out, const quota_reading* r, std::string_view unit, std::string text) {
  if (r != nullptr) out.push_back({fmt::format("x-ratelimit-reset{}", unit), std::move(text)});
}

/// The time until this limit is full.
inline void add_with_reset(rate_headers_list& out, const quota_reading* r, std::string_view unit) {
  add_pair(out, r, unit);
  if (r != nullptr) add_reset(out, r, unit, go_duration(r->reset_after));
}

/// OpenAI's sentence.
inline std::string reached(const dialect_refused& no, std::string_view abbreviation, std::string_view words) {
  return fmt::format(
      "Rate limit reached for model in organization org-1 on {} ({}): Limit {}, Used {}, Requested {}. Please try "
      "again "
      "in {}.",
      words, abbreviation, no.limit, no.used, no.requested, go_duration(no.retry_after));
}

inline std::string wrapped(std::string_view message, std::string_view type, std::string_view code) {
  return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":null,"code":"{}"}}}})", message, type, code);
}

}  // namespace cooldown::sim
