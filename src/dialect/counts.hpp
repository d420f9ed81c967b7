// Counts of requests and tokens as headers write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cooldown/limit/limit_id.hpp"
#include "cooldown/text/ascii.hpp"

namespace cooldown {

/// Above it doubles cannot represent every integer, and no limit is that large.
inline constexpr std::uint64_t largest_count = 1ULL << 53;

inline std::optional<std::uint64_t> exact_count(std::optional<std::uint64_t> n) {
  return n && *n > largest_count ? std::nullopt : n;
}

/// Digits; a fraction ("29.0") is truncated, because some gateways format every number as a float.
inline std::optional<std::uint64_t> count_of(std::string_view text) {
  text = trim(text);
  auto const dot = text.find('.');
  if (dot != std::string_view::npos) {
    auto const fraction = text.substr(dot + 1);
    if (fraction.empty() || fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  }
  return exact_count(parse_u64(text.substr(0, dot)));
}

/// Seconds, as the window of a limit. nullopt: no window that a limit has.
inline std::optional<window> window_in_seconds(std::string_view text) {
  constexpr std::uint64_t longest = window::month.length() / std::chrono::seconds{1};
  auto const n = parse_u64(trim(text));
  return n && *n <= longest ? window::of(std::chrono::seconds{*n}) : std::nullopt;
}

/// "-20", also as a float.
inline bool is_negative_count(std::string_view text) {
  text = trim(text);
  return text.size() > 1 && text.front() == '-' && count_of(text.substr(1));
}

}  // namespace cooldown
