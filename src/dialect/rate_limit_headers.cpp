#include "cooldown/dialect/rate_limit_headers.hpp"

#include <algorithm>
#include <string_view>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

#include "counts.hpp"
#include "ietf_headers.hpp"

namespace cooldown {
namespace {

enum class item : std::uint8_t { limit, remaining, reset };

struct dialect_field {
  std::string_view name;  // lower case
  item what;
  resource counts;
  window over;
  bool unnamed = false;
};

using enum item;
using enum resource;
constexpr auto minute = window::minute;
constexpr auto hour = window::hour;
constexpr auto day = window::day;

/// The dialects as one table. Names without a window (OpenAI, Groq) have `unnamed`, and any.
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
    {"x-ratelimit-limit-tokens", limit, tokens, minute, true},
    {"x-ratelimit-remaining-tokens", remaining, tokens, minute, true},
    {"x-ratelimit-reset-tokens", reset, tokens, minute, true},
    {"x-ratelimit-limit-project-tokens", limit, tokens, minute},
    {"x-ratelimit-remaining-project-tokens", remaining, tokens, minute},
    {"x-ratelimit-reset-project-tokens", reset, tokens, minute},
    {"x-ratelimit-limit-requests", limit, requests, minute, true},
    {"x-ratelimit-remaining-requests", remaining, requests, minute, true},
    {"x-ratelimit-reset-requests", reset, requests, minute, true},
    {"x-ratelimit-limit-req-minute", limit, requests, minute},
    {"x-ratelimit-remaining-req-minute", remaining, requests, minute},
    {"anthropic-ratelimit-tokens-limit", limit, tokens, minute},
    {"anthropic-ratelimit-tokens-remaining", remaining, tokens, minute},
    {"anthropic-ratelimit-tokens-reset", reset, tokens, minute},
    {"anthropic-ratelimit-requests-limit", limit, requests, minute},
    {"anthropic-ratelimit-requests-remaining", remaining, requests, minute},
    {"anthropic-ratelimit-requests-reset", reset, requests, minute},
};

/// Which values of a limit are negative.
struct negative {
  bool limit = false;
  bool remaining = false;
};

template <class T, class Better>
void keep(std::optional<T>& slot, std::optional<T> value, Better better) {
  if (value && (!slot || better(*value, *slot))) slot = value;
}

}  // namespace

std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(header_view headers, wall_time now,
                                                                                    const unnamed_windows& unnamed) {
  rate_limit_snapshot out;
  bool any = false;
  bool any_of_ietf = false;
  per_limit<negative> below_zero;
  for (auto const& field : headers) {
    if (!istarts_with(field.name, "x-ratelimit-") && !istarts_with(field.name, "anthropic-ratelimit-")) {
      any_of_ietf = any_of_ietf || istarts_with(field.name, "ratelimit");
      any = any || iequals(field.name, "ratelimit") || iequals(field.name, "ratelimit-remaining");
      continue;
    }
    auto const* const known = std::find_if(std::begin(table), std::end(table),
                                           [&](const dialect_field& f) { return iequals(f.name, field.name); });
    if (known == std::end(table)) continue;
    any = true;
    auto const of_unnamed = known->counts == requests ? unnamed.requests : unnamed.tokens;
    limit_id const id{known->counts, known->unnamed ? of_unnamed : known->over};
    auto* const found = out.limits.get(id);
    if (found == nullptr) continue;
    auto& slot = *found;
    slot.unnamed = slot.unnamed || known->unnamed;
    if (known->what != reset && is_negative_count(field.value))
      (known->what == limit ? below_zero.get(id)->limit : below_zero.get(id)->remaining) = true;
    switch (known->what) {
      case limit:
        if (auto const n = count_of(field.value); n && *n > 0) keep(slot.limit, n, std::less<>{});
        break;
      case remaining:
        keep(slot.remaining, count_of(field.value), std::less<>{});
        break;
      case reset:
        keep(slot.reset, parse_delay(field.value, now), std::greater<>{});
        break;
    }
  }
  for (auto const& [id, is] : below_zero)
    if (is.remaining && !is.limit) out.limits.find(id)->remaining = 0;
  if (any && any_of_ietf) read_ietf_headers(headers, out);
  auto const main = out.at(tokens, minute);
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
