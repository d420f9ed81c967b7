#include "cooldown/core/refusal.hpp"

#include <algorithm>

#include "cooldown/core/ascii.hpp"
#include "cooldown/core/delay_text.hpp"

namespace cooldown {
namespace {

bool contains(std::string_view text, std::string_view word) {
  auto const same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

constexpr std::string_view incurable_words[] = {"insufficient_quota", "billing", "payment", "spend", "credit"};
constexpr std::string_view load_words[] = {"queue_exceeded", "high traffic", "overloaded", "at capacity"};

bool any_of_words(const error_fields& body, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) {
    return contains(body.code, w) || contains(body.type, w) || contains(body.message, w);
  });
}

bool shows_exhausted(header_view headers) {
  return std::any_of(headers.begin(), headers.end(), [](const header_field& f) {
    return istarts_with(f.name, "x-ratelimit-remaining") && trim(f.value) == "0";
  });
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

refusal classify_refusal(const error_fields& body, header_view headers, wall_time now) {
  refusal r;
  r.retry_after = retry_after_of(headers, now);
  if (any_of_words(body, incurable_words)) {
    r.what = refusal::kind::incurable;
    return r;
  }
  if (any_of_words(body, load_words)) {
    r.what = refusal::kind::load;
    return r;
  }
  if (contains(body.code, "token") || contains(body.type, "token") || contains(body.message, "tokens per")) {
    r.counts = contains(body.message, "total tokens") ? resource::total_tokens : resource::tokens;
  } else if (contains(body.code, "request_quota") || contains(body.message, "requests per")) {
    r.counts = resource::requests;
  }
  r.burst = contains(body.message, "per second");
  if (contains(body.message, "per minute")) r.over = window::minute;
  if (contains(body.message, "per hour")) r.over = window::hour;
  if (contains(body.message, "per day")) r.over = window::day;
  bool const known = r.counts || r.over || contains(body.code, "quota") || contains(body.code, "rate_limit") ||
                     contains(body.type, "rate_limit") || contains(body.message, "rate limit");
  if (!known && !r.retry_after && !shows_exhausted(headers)) r.what = refusal::kind::load;
  return r;
}

}  // namespace cooldown
