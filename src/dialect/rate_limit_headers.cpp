#include "cooldown/dialect/rate_limit_headers.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

#include "counts.hpp"
#include "ietf_headers.hpp"

namespace cooldown {
namespace {

/// Which values of a limit are negative.
struct negative {
  bool limit = false;
  bool remaining = false;
};

template <class T, class Better>
void keep(std::optional<T>& slot, std::optional<T> value, Better better) {
  if (value && (!slot || better(*value, *slot))) slot = value;
}

/// Windows that headers tell for what they count.
struct told_periods {
  std::optional<window> requests, tokens;
  std::optional<window> of(resource counts) const { return counts == resource::requests ? requests : tokens; }
};

struct reading {
  header_meaning means;
  std::string_view value;
};
using readings = std::vector<reading>;

readings read_names(header_view headers, const header_rules& rules) {
  readings all;
  all.reserve(headers.size());
  for (auto const& field : headers)
    if (auto const meaning = meaning_of(field.name, rules.names)) all.push_back({*meaning, field.value});
  return all;
}

told_periods periods_in(const readings& all) {
  told_periods found;
  for (auto const& [means, value] : all) {
    if (means.what != header_item::period) continue;
    (means.counts == resource::requests ? found.requests : found.tokens) = window_in_seconds(value);
  }
  return found;
}

rate_limit_snapshot limits_in(const readings& all, const unnamed_windows& unnamed, wall_time now) {
  rate_limit_snapshot out;
  per_limit<negative> below_zero;
  auto const periods = periods_in(all);
  for (auto const& [means, value] : all) {
    if (means.what == header_item::period) continue;
    auto const told = means.over ? means.over : periods.of(means.counts);
    limit_id const id{means.counts, told.value_or(unnamed.of(means.counts))};
    auto* const slot = out.limits.get(id);
    if (slot == nullptr) continue;
    slot->unnamed = slot->unnamed || !told;
    auto const number = means.what == header_item::reset ? std::nullopt : count_of(value);
    bool const is_negative = means.what != header_item::reset && is_negative_count(value);
    if (means.what == header_item::limit) {
      if (is_negative) below_zero.get(id)->limit = true;
      if (number && *number > 0) keep(slot->limit, number, std::less<>{});
    } else if (means.what == header_item::remaining) {
      if (is_negative) below_zero.get(id)->remaining = true;
      keep(slot->remaining, number, std::less<>{});
    } else {
      keep(slot->reset, parse_delay(value, now), std::greater<>{});
    }
  }
  for (auto const& [id, is] : below_zero)
    if (is.remaining && !is.limit) out.limits.find(id)->remaining = 0;
  // Whoever sends zero for what is not full means that nothing is known of it.
  for (auto& [id, shown] : out.limits)
    if (shown.reset == duration::zero() && shown.remaining && shown.remaining < shown.limit) shown.reset.reset();
  return out;
}

/// Where all tokens show just what the input or the output does, it is that limit again, as the tightest of several.
void drop_repeated(per_limit<limit_snapshot>& limits) {
  for (auto& [id, shown] : limits) {
    if (id.counts != resource::tokens || !shown.limit || !shown.remaining) continue;
    for (auto const part : {resource::input_tokens, resource::output_tokens})
      if (auto const* const other = limits.find({part, id.over}))
        if (other->limit == shown.limit && other->remaining == shown.remaining) shown = {};
  }
}

}  // namespace

std::variant<rate_limit_snapshot, rate_limit_header_error> parse_rate_limit_headers(header_view headers, wall_time now,
                                                                                    const header_rules& rules) {
  auto const all = read_names(headers, rules);
  auto out = limits_in(all, rules.unnamed, now);
  bool const of_ietf =
      std::ranges::any_of(headers, [](const header_field& f) { return istarts_with(f.name, "ratelimit"); });
  bool const any = !all.empty() || (of_ietf && std::ranges::any_of(headers, [](const header_field& f) {
                                      return iequals(f.name, "ratelimit") || iequals(f.name, "ratelimit-remaining");
                                    }));
  if (any && of_ietf) read_ietf_headers(headers, out);
  auto const main = out.at(resource::tokens, window::minute);
  drop_repeated(out.limits);
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
