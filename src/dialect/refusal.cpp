#include "cooldown/dialect/refusal.hpp"

#include <algorithm>
#include <span>

#include "cooldown/dialect/prose.hpp"
#include "cooldown/dialect/refusal_text.hpp"
#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown {
namespace {

// In codes and types.
constexpr std::string_view incurable_names[] = {"insufficient_quota", "billing", "payment", "spend", "credit"};
// In texts. They are checked last, because many refusals that waiting cures also advise to pay. The space in " spend"
// excludes "suspended".
constexpr std::string_view incurable_words[] = {"insufficient_quota", "billing", "payment",
                                                "spending",           " spend",  "credit"};
// In codes and types; "too_many_requests" says no more than the status does.
constexpr std::string_view load_names[] = {"queue_exceeded", "overload", "capacity"};
constexpr std::string_view quota_names[] = {"quota", "rate_limit", "token"};
// In texts.
constexpr std::string_view load_words[] = {"queue_exceeded", "high traffic", "overloaded", "at capacity"};

bool contains_any(std::string_view text, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) { return icontains(text, w); });
}

/// The meaning of a code or a type; nullopt: unknown.
std::optional<refusal::kind> kind_of(std::string_view name) {
  using kind = refusal::kind;
  if (contains_any(name, incurable_names)) return kind::incurable;
  if (contains_any(name, load_names)) return kind::load;
  if (contains_any(name, quota_names) || iequals(name, "requests")) return kind::quota;
  return std::nullopt;
}

bool shows_exhausted(header_view headers) {
  return std::any_of(headers.begin(), headers.end(), [](const header_field& f) {
    return istarts_with(f.name, "x-ratelimit-remaining") && trim(f.value) == "0";
  });
}

bool says_no_retry(header_view headers) {
  return std::any_of(headers.begin(), headers.end(), [](const header_field& f) {
    return iequals(f.name, "x-should-retry") && iequals(trim(f.value), "false");
  });
}

/// The limit that the body names, if any.
void read_limit(const error_fields& body, const refusal_text& text, refusal& r) {
  r.counts = text.counts;
  r.over = text.over;
  r.burst = text.per_second;
  r.limit = text.limit;
  r.fits = text.limit && text.requested && *text.requested <= *text.limit;
  // A code says less than the text.
  if (text.counts && *text.counts != resource::requests && *text.counts != resource::tokens) return;
  if (icontains(body.code, "token") || icontains(body.type, "token")) {
    r.counts = resource::tokens;
  } else if (!r.counts && (icontains(body.code, "request_quota") || iequals(body.type, "requests"))) {
    r.counts = resource::requests;
  }
}

/// Azure's and GitHub Models' x-ratelimit-type names the limit: Tokens, UserByMinute, UserConcurrentRequests.
void read_type_header(header_view headers, refusal_text& text) {
  for (auto const& f : headers) {
    if (!iequals(f.name, "x-ratelimit-type")) continue;
    if (icontains(f.value, "concurrent")) text.at_once = true;
    if (icontains(f.value, "token")) text.counts = resource::tokens;
    if (icontains(f.value, "request") || icontains(f.value, "user")) text.counts = resource::requests;
    if (icontains(f.value, "minute")) text.over = window::minute;
    if (icontains(f.value, "day")) text.over = window::day;
  }
}

/// Without Retry-After: what the body says, else when the limit of a refusal's unnamed headers resets.
std::optional<duration> wait_of(const error_fields& body, const refusal_text& text, header_view headers,
                                wall_time now) {
  if (auto const told = retry_after_of(headers, now)) return told;
  if (auto const field = parse_delay(body.wait, now)) return field;
  if (text.wait) return text.wait;
  for (auto const& f : headers)
    if (iequals(f.name, "x-ratelimit-reset") || iequals(f.name, "x-ratelimit-timeremaining"))
      return parse_delay(f.value, now);
  return std::nullopt;
}

/// The limit that it is about is named, in one way or another.
bool names_limit(std::string_view prose, const refusal& r) {
  return r.counts || r.over || r.burst || icontains(prose, "rate limit");
}

/// Only of tokens one request takes many. Whoever says when to come again does not mean it.
bool is_too_large(const refusal_text& text, const refusal& r) {
  bool const of_tokens = r.counts && *r.counts != resource::requests;
  return of_tokens && !text.wait && text.limit > 0U && text.requested > text.limit;
}

}  // namespace

std::optional<duration> retry_after_of(header_view headers, wall_time now) {
  std::optional<duration> seconds;
  for (auto const& f : headers) {
    if (iequals(f.name, "retry-after-ms")) {
      if (auto const ms = parse_u64(trim(f.value)); ms && *ms <= 366ULL * 86'400'000)
        return std::chrono::milliseconds{*ms};
    } else if (iequals(f.name, "retry-after")) {
      if (auto const delay = parse_delay(f.value, now); delay && (!seconds || *delay > *seconds)) seconds = delay;
    }
  }
  return seconds;
}

refusal classify_refusal(const error_fields& body, header_view headers, wall_time now, std::string_view model) {
  using kind = refusal::kind;
  auto const prose = prose_of(body.message, model);
  auto text = read_refusal_text(body.message);
  read_type_header(headers, text);
  refusal r;
  r.retry_after = wait_of(body, text, headers, now);
  read_limit(body, text, r);
  auto said = kind_of(prose_of(body.code, model));
  if (!said) said = kind_of(prose_of(body.type, model));
  if (said != kind::incurable && text.at_once) said = kind::load;
  if (!said && names_limit(prose, r)) said = kind::quota;
  if (!said && contains_any(prose, load_words)) said = kind::load;
  if (!said && (r.retry_after || shows_exhausted(headers))) said = kind::quota;
  if (!said && contains_any(prose, incurable_words)) said = kind::incurable;
  r.what = said.value_or(kind::load);
  // Providers also send it with refusals for load, which are over in a second: there it is ignored.
  if (says_no_retry(headers) && said != kind::load && !r.retry_after) r.what = kind::incurable;
  if (r.what == kind::quota && is_too_large(text, r)) r.what = kind::too_large;
  if (r.what == kind::quota || r.what == kind::too_large) return r;
  // If it is not load after all, it is most likely that.
  if (!said) {
    r.counts = resource::requests;
    r.over = window::minute;
    r.limit.reset();
    return r;
  }
  auto const at_once = text.at_once ? text.limit : std::nullopt;
  return {.what = r.what, .counts = {}, .over = {}, .limit = at_once, .fits = false, .retry_after = r.retry_after};
}

}  // namespace cooldown
