#include "cooldown/sim/rate_headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace cooldown::sim {
namespace {

constexpr int significant_digits = 17;

void append(std::vector<rate_header>& out, std::string_view field, const quota_reading& reading, std::string value) {
  std::string header = "x-ratelimit-";
  header.append(field).append("-").append(name(reading.what)).append("-").append(name_of(reading.per));
  out.push_back({std::move(header), std::move(value)});
}

bool is_shown(header_style style, const quota_reading& reading) {
  if (style == header_style::none || reading.what == resource::total_tokens) return false;
  if (reading.per == window::second) return false;
  if (style != header_style::resets) return true;
  return reading.what == resource::requests ? reading.per == window::day : reading.per == window::minute;
}

std::int64_t remaining_shown(header_style style, const quota_reading& reading,
                             const std::vector<quota_reading>& readings) {
  const bool is_hour_of_tokens = reading.what == resource::tokens && reading.per == window::hour;
  if (style != header_style::two_buckets || !is_hour_of_tokens) return reading.remaining;
  const auto total = std::find_if(readings.begin(), readings.end(), [](const auto& each) {
    return each.what == resource::total_tokens && each.per == window::hour;
  });
  return total == readings.end() ? reading.remaining : total->remaining;
}

}  // namespace

std::vector<rate_header> render_headers(header_style style, const std::vector<quota_reading>& readings) {
  const bool with_reset = style == header_style::resets || style == header_style::all_resets;
  std::vector<rate_header> out;
  out.reserve(readings.size() * 3);
  for (const auto& reading : readings) {
    if (!is_shown(style, reading)) continue;
    append(out, "limit", reading, std::to_string(reading.limit));
    append(out, "remaining", reading, std::to_string(remaining_shown(style, reading, readings)));
    if (with_reset) append(out, "reset", reading, reset_text(reading.reset_after));
  }
  return out;
}

std::string reset_text(nanoseconds value) {
  const double seconds = static_cast<double>(value.count()) / 1e9;
  int integer_digits = 1;
  for (double bound = 10; seconds >= bound; bound *= 10) ++integer_digits;
  std::array<char, 64> text{};
  const int decimals = std::max(significant_digits - integer_digits, 1);
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed, decimals).ptr;
  return {text.data(), end};
}

std::string date_text(std::chrono::system_clock::time_point when) {
  const auto seconds = std::chrono::system_clock::to_time_t(when);
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &fields)};
}

api_error quota_error(resource what, window per, bool two_buckets) {
  const auto word = name_of(per);
  if (what == resource::requests) {
    return {"Requests per " + word + " limit exceeded - too many requests sent.", "too_many_requests_error", "quota",
            "request_quota_exceeded"};
  }
  std::string tokens = "Tokens";
  if (what == resource::total_tokens) tokens = "Total tokens";
  if (what == resource::tokens && two_buckets) tokens = "Uncached tokens";
  return {tokens + " per " + word + " limit exceeded - too many tokens processed.", "too_many_tokens_error", "quota",
          "token_quota_exceeded"};
}

api_error load_error() {
  return {"We're experiencing high traffic right now! Please try again soon.", "too_many_requests_error", "queue",
          "queue_exceeded"};
}

}  // namespace cooldown::sim
