// What several dialects send alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cooldown/sim/dialects.hpp"

namespace cooldown::sim {

using rate_headers_list = std::vector<rate_header>;

inline constexpr limit_id rpm{resource::requests, window::minute};
inline constexpr limit_id rpd{resource::requests, window::day};
inline constexpr limit_id tpm{resource::tokens, window::minute};
inline constexpr limit_id rps{resource::requests, window::second};

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

inline bool counts_requests(const dialect_refused& no) {
  return no.by.counts == resource::requests;
}

inline std::string_view words_of(limit_id k) {
  const bool day = k.over == window::day;
  if (k.counts == resource::requests) return day ? "requests per day" : "requests per minute";
  if (k.counts == resource::input_tokens) return "input tokens per minute";
  if (k.counts == resource::output_tokens) return "output tokens per minute";
  return day ? "tokens per day" : "tokens per minute";
}

inline std::string_view abbreviation_of(limit_id k) {
  const bool day = k.over == window::day;
  if (k.counts == resource::requests) return day ? "RPD" : "RPM";
  if (k.counts == resource::input_tokens) return "ITPM";
  if (k.counts == resource::output_tokens) return "OTPM";
  return day ? "TPD" : "TPM";
}

inline std::string wrapped(std::string_view message, std::string_view type, std::string_view code) {
  return fmt::format(R"({{"error":{{"message":"{}","type":"{}","param":null,"code":"{}"}}}})", message, type, code);
}

/// The error in OpenAI's sentence, `advice` behind it.
inline std::string reached(const dialect_refused& no, std::string_view words, std::string_view advice) {
  const auto text = fmt::format(
      "Rate limit reached for model in organization org-1 on {} ({}): Limit {}, Used {}, Requested {}. Please try "
      "again in {}. {}",
      words, abbreviation_of(no.by), no.limit, no.used, no.requested, go_duration(no.retry_after), advice);
  return wrapped(text, counts_requests(no) ? "requests" : "tokens", "rate_limit_exceeded");
}

inline rate_headers_list nothing(const dialect_answer& /*a*/) {
  return {};
}

inline model_limits limits(std::initializer_list<std::pair<limit_id, std::int64_t>> all) {
  model_limits out;
  out.others = all;
  return out;
}

/// Of providers with OpenAI's header names, with names of their own, and with those of the IETF's drafts.
std::vector<dialect_profile> openai_dialects();
std::vector<dialect_profile> other_dialects();
std::vector<dialect_profile> ietf_dialects();

}  // namespace cooldown::sim
