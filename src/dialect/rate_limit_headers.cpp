#include "cooldown/dialect/rate_limit_headers.hpp"

#include <algorithm>
#include <string_view>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown {
namespace {

enum class item : std::uint8_t { limit, remaining, reset };

struct dialect_field {
  std::string_view name;  // lower case
  item what;
  resource counts;
  window over;
};

using enum item;
using enum resource;
using enum window;

/// The dialects as one table. Names without a window (OpenAI, Groq) are read as per minute.
constexpr dialect_field table[] = {
    {"x-ratelimit-limit-tokens-minute", limit, tokens, minute},
    {"x-ratelimit-remaining-tokens-minute", remaining, tokens, minute},
    {"x-ratelimit-reset-tokens-minute", reset, tokens, minute},
    {"x-ratelimit-limit-tokens-hour", limit, tokens, hour},
    {"x-ratelimit-remaining-tokens-hour", remaining, tokens, hour},
    {"x-ratelimit-reset-tokens-hour", reset, tokens, hour},
    {"x-ratelimit-limit-tokens-day", limit, tokens, day},
    {"x-ratelimit-remaining-tokens-day", remaining, tokens, day},
    {"x-ratelimit-reset-tokens-day", reset, tokens, day},
    {"x-ratelimit-limit-requests-minute", limit, requests, minute},
    {"x-ratelimit-remaining-requests-minute", remaining, requests, minute},
    {"x-ratelimit-reset-requests-minute", reset, requests, minute},
    {"x-ratelimit-limit-requests-hour", limit, requests, hour},
    {"x-ratelimit-remaining-requests-hour", remaining, requests, hour},
    {"x-ratelimit-reset-requests-hour", reset, requests, hour},
    {"x-ratelimit-limit-requests-day", limit, requests, day},
    {"x-ratelimit-remaining-requests-day", remaining, requests, day},
    {"x-ratelimit-reset-requests-day", reset, requests, day},
    {"x-ratelimit-limit-tokens", limit, tokens, minute},
    {"x-ratelimit-remaining-tokens", remaining, tokens, minute},
    {"x-ratelimit-reset-tokens", reset, tokens, minute},
    {"x-ratelimit-limit-requests", limit, requests, minute},
    {"x-ratelimit-remaining-requests", remaining, requests, minute},
    {"x-ratelimit-reset-requests", reset, requests, minute},
    {"x-ratelimit-limit-req-minute", limit, requests, minute},
    {"x-ratelimit-remaining-req-minute", remaining, requests, minute},
    {"anthropic-ratelimit-tokens-limit", limit, tokens, minute},
    {"anthropic-ratelimit-tokens-remaining", remaining, tokens, minute},
    {"anthropic-ratelimit-tokens-reset", reset, tokens, minute},
    {"anthropic-ratelimit-requests-limit", limit, requests, minute},
    {"anthropic-ratelimit-requests-remaining", remaining, requests, minute},
    {"anthropic-ratelimit-requests-reset", reset, requests, minute},
};

/// Beyond 2^53 doubles lose whole tokens, and nobody sells that many.
std::optional<std::uint64_t> exact(std::optional<std::uint64_t> n) {
  return n && *n > (1ULL << 53) ? std::nullopt : n;
}

/// A count: digits; a fraction ("29.0") is cut, as some gateways format every number as a float.
std::optional<std::uint64_t> count(std::string_view text) {
  text = trim(text);
  auto const dot = text.find('.');
  if (dot != std::string_view::npos) {
    auto const fraction = text.substr(dot + 1);
    if (fraction.empty() || fraction.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  }
  return exact(parse_u64(text.substr(0, dot)));
}

/// "-20", and what gateways make of it.
bool is_negative(std::string_view text) {
  text = trim(text);
  return text.size() > 1 && text.front() == '-' && count(text.substr(1));
}

/// The value of `key` among the ;-separated parameters of one list member of the IETF draft.
std::optional<std::uint64_t> parameter(std::string_view member, std::string_view key) {
  std::string_view token;
  while (next_token(member, ';', token)) {
    auto const eq = token.find('=');
    if (eq == std::string_view::npos || token.substr(0, eq) != key) continue;
    auto const value = token.substr(eq + 1);
    if (key == "r" && is_negative(value)) return 0;
    return parse_u64(value);
  }
  return std::nullopt;
}

template <class T, class Better>
void keep(std::optional<T>& slot, std::optional<T> value, Better better) {
  if (value && (!slot || better(*value, *slot))) slot = value;
}

/// RateLimit: "default";r=50;t=30 with RateLimit-Policy: "default";q=100;w=60. Its quota units are taken as tokens when
/// nothing else spoke of tokens.
void ietf(header_view headers, rate_limit_snapshot& out) {
  limit_snapshot found;
  for (auto const& field : headers) {
    if (iequals(field.name, "ratelimit")) {
      keep(found.remaining, exact(parameter(field.value, "r")), std::less<>{});
      if (auto const t = parameter(field.value, "t"); t && *t <= 366ULL * 86400)
        keep(found.reset, std::optional<duration>{std::chrono::seconds{*t}}, std::greater<>{});
    } else if (iequals(field.name, "ratelimit-policy")) {
      if (auto const q = exact(parameter(field.value, "q")); q && *q > 0) keep(found.limit, q, std::less<>{});
    }
  }
  if (auto& slot = out.at(tokens, minute); !slot.any() && found.limit) slot = found;
}

}  // namespace

std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(header_view headers,
                                                                                    wall_time now) {
  rate_limit_snapshot out;
  bool any = false;
  std::array<bool, slot_count> overdrawn{};
  std::array<bool, slot_count> unlimited{};
  for (auto const& field : headers) {
    if (!istarts_with(field.name, "x-ratelimit-") && !istarts_with(field.name, "anthropic-ratelimit-")) {
      any = any || iequals(field.name, "ratelimit");
      continue;
    }
    auto const* const known = std::find_if(std::begin(table), std::end(table),
                                           [&](const dialect_field& f) { return iequals(f.name, field.name); });
    if (known == std::end(table)) continue;
    any = true;
    auto& slot = out.at(known->counts, known->over);
    if (known->what != reset && is_negative(field.value))
      (known->what == limit ? unlimited : overdrawn)[slot_of(known->counts, known->over)] = true;
    switch (known->what) {
      case limit:
        if (auto const n = count(field.value); n && *n > 0) keep(slot.limit, n, std::less<>{});
        break;
      case remaining:
        keep(slot.remaining, count(field.value), std::less<>{});
        break;
      case reset:
        keep(slot.reset, parse_delay(field.value, now), std::greater<>{});
        break;
    }
  }
  for (std::size_t i = 0; i < slot_count; ++i)
    if (overdrawn[i] && !unlimited[i]) out.limits[i].remaining = 0;
  if (any) ietf(headers, out);
  auto const& main = out.at(tokens, minute);
  std::string missing;
  if (!main.limit) missing = "x-ratelimit-limit-tokens-minute";
  if (!main.remaining && !main.reset) {
    if (!missing.empty()) missing += ", ";
    missing += "x-ratelimit-remaining-tokens-minute or x-ratelimit-reset-tokens-minute";
  }
  if (!missing.empty())
    return rate_limit_header_error{
        .absent = !any, .message = "missing required rate limit headers: " + missing, .rest = out};
  return out;
}

}  // namespace cooldown
