#include "cooldown/text/delay_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "cooldown/text/ascii.hpp"

namespace cooldown {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t longest_seconds = 366ULL * 86400;
constexpr std::uint64_t nanos_per_second = 1'000'000'000;
constexpr std::uint64_t latest_epoch = 9'000'000'000;  // 2255; nanoseconds overflow seven years later

/// "123.456" to nanoseconds per unit, exactly; a number with an exponent goes through double.
std::optional<duration> decimal(std::string_view text, std::uint64_t unit_ns) {
  if (text.empty()) return std::nullopt;
  if (std::any_of(text.begin(), text.end(), [](char c) { return c == 'e' || c == 'E'; })) {
    double value = 0;
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) || value < 0)
      return std::nullopt;
    double const s = value * static_cast<double>(unit_ns) / 1e9;
    if (s > static_cast<double>(longest_seconds)) return std::nullopt;
    return duration_of_seconds(s);
  }
  auto const dot = text.find('.');
  auto const whole_text = text.substr(0, dot);
  auto const fraction = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
  if (whole_text.empty() && fraction.empty()) return std::nullopt;
  std::uint64_t whole = 0;
  if (!whole_text.empty()) {
    auto const n = parse_u64(whole_text);
    if (!n || *n > longest_seconds * nanos_per_second / unit_ns) return std::nullopt;
    whole = *n;
  }
  // Digits after the ninth only matter for rounding up.
  std::uint64_t scaled = 0;
  bool more = false;
  for (std::size_t i = 0; i < fraction.size(); ++i) {
    if (!is_digit(fraction[i])) return std::nullopt;
    if (i < 9) scaled = scaled * 10 + static_cast<std::uint64_t>(fraction[i] - '0');
    if (i >= 9 && fraction[i] != '0') more = true;
  }
  for (std::size_t i = fraction.size(); i < 9; ++i) scaled *= 10;
  // scaled is in billionths of the unit.
  std::uint64_t ns = 0;
  if (unit_ns >= nanos_per_second) {
    ns = scaled * (unit_ns / nanos_per_second);
  } else {
    auto const part = scaled * unit_ns;
    ns = part / nanos_per_second;
    more = more || part % nanos_per_second != 0;
  }
  if (more) ++ns;
  ns += whole * unit_ns;
  if (ns > longest_seconds * nanos_per_second) return std::nullopt;
  return duration{static_cast<duration::rep>(ns)};
}

/// "1h2m3.5s", "825ms"; units may repeat, as in Go.
std::optional<duration> go_duration(std::string_view text) {
  duration total{};
  while (!text.empty()) {
    auto const digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    auto const number = text.substr(0, digits);
    text.remove_prefix(digits);
    auto unit_size = text.find_first_of("0123456789.");
    if (unit_size == std::string_view::npos) unit_size = text.size();
    auto const unit = text.substr(0, unit_size);
    text.remove_prefix(unit_size);
    std::uint64_t unit_ns = 0;
    if (unit == "h")
      unit_ns = 3600 * nanos_per_second;
    else if (unit == "m")
      unit_ns = 60 * nanos_per_second;
    else if (unit == "s")
      unit_ns = nanos_per_second;
    else if (unit == "ms")
      unit_ns = 1'000'000;
    else if (unit == "us" || unit == "\xC2\xB5s")
      unit_ns = 1'000;
    else if (unit == "ns")
      unit_ns = 1;
    else
      return std::nullopt;
    auto const part = decimal(number, unit_ns);
    if (!part) return std::nullopt;
    total += *part;
    if (total > std::chrono::seconds{longest_seconds}) return std::nullopt;
  }
  return total;
}

std::optional<int> fixed_number(std::string_view s) {
  auto const n = parse_u64(s);
  if (!n || *n > 9999) return std::nullopt;
  return static_cast<int>(*n);
}

struct calendar {
  std::optional<int> year, month, day, hour, minute, second;
  duration fraction{};
  duration zone{};
};

std::optional<wall_time> at(const calendar& c) {
  if (!c.year || !c.month || !c.day || !c.hour || !c.minute || !c.second) return std::nullopt;
  if (*c.hour > 23 || *c.minute > 59 || *c.second > 60 || *c.year < 1970 || *c.year > 2200) return std::nullopt;
  std::chrono::year_month_day const date{std::chrono::year{*c.year},
                                         std::chrono::month{static_cast<unsigned>(*c.month)},
                                         std::chrono::day{static_cast<unsigned>(*c.day)}};
  if (!date.ok()) return std::nullopt;
  return wall_time{std::chrono::sys_days{date}.time_since_epoch()} + std::chrono::hours{*c.hour} +
         std::chrono::minutes{*c.minute} + std::chrono::seconds{*c.second} + c.fraction - c.zone;
}

/// 2026-11-23T20:24:37.5Z, or with +02:00 (RFC 3339 §5.6).
std::optional<wall_time> rfc3339(std::string_view s) {
  if (s.size() < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') || s[13] != ':' ||
      s[16] != ':')
    return std::nullopt;
  calendar c{.year = fixed_number(s.substr(0, 4)),
             .month = fixed_number(s.substr(5, 2)),
             .day = fixed_number(s.substr(8, 2)),
             .hour = fixed_number(s.substr(11, 2)),
             .minute = fixed_number(s.substr(14, 2)),
             .second = fixed_number(s.substr(17, 2))};
  s.remove_prefix(19);
  if (s.front() == '.') {
    auto const end = s.find_first_not_of("0123456789", 1);
    if (end == std::string_view::npos || end == 1) return std::nullopt;
    auto const fraction = decimal(s.substr(0, end), nanos_per_second);
    if (!fraction) return std::nullopt;
    c.fraction = *fraction;
    s.remove_prefix(end);
  }
  if (s == "Z" || s == "z") return at(c);
  if (s.size() != 6 || (s[0] != '+' && s[0] != '-') || s[3] != ':') return std::nullopt;
  auto const hours = fixed_number(s.substr(1, 2));
  auto const minutes = fixed_number(s.substr(4, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  c.zone = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  if (s[0] == '-') c.zone = -c.zone;
  return at(c);
}

std::optional<duration> until(std::optional<wall_time> then, wall_time now) {
  if (!then) return std::nullopt;
  if (*then <= now) return duration::zero();
  if (*then - now > std::chrono::seconds{longest_seconds}) return std::nullopt;
  return *then - now;
}

}  // namespace

std::optional<wall_time> parse_http_date(std::string_view s) {
  if (s.size() != 29 || s.substr(3, 2) != ", " || s[7] != ' ' || s[11] != ' ' || s[16] != ' ' || s[19] != ':' ||
      s[22] != ':' || s.substr(25) != " GMT")
    return std::nullopt;
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  calendar c{.year = fixed_number(s.substr(12, 4)),
             .month = std::nullopt,
             .day = fixed_number(s.substr(5, 2)),
             .hour = fixed_number(s.substr(17, 2)),
             .minute = fixed_number(s.substr(20, 2)),
             .second = fixed_number(s.substr(23, 2))};
  for (std::size_t i = 0; i < months.size(); ++i)
    if (s.substr(8, 3) == months[i]) c.month = static_cast<int>(i) + 1;
  return at(c);
}

std::optional<duration> parse_delay(std::string_view text, wall_time now) {
  text = trim(text);
  if (text.empty() || text.size() > 64) return std::nullopt;
  bool const number = std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  });
  if (!number) {
    if (is_digit(text.front()) && text.size() >= 20 && text[4] == '-') return until(rfc3339(text), now);
    if (text.find(',') != std::string_view::npos) return until(parse_http_date(text), now);
    return go_duration(text);
  }
  if (!is_digit(text.front()) && text.front() != '.') return std::nullopt;
  // Ten or more digits before the point cannot be a delay: an epoch, in seconds or from 1e12 on in milliseconds.
  auto const whole = text.substr(0, text.find('.'));
  if (auto const n = parse_u64(whole); n && *n >= 1'000'000'000) {
    bool const in_ms = *n >= 1'000'000'000'000;
    if ((in_ms ? *n / 1000 : *n) > latest_epoch) return std::nullopt;
    auto const since_epoch = in_ms ? duration{std::chrono::milliseconds{*n}} : duration{std::chrono::seconds{*n}};
    return until(wall_time{since_epoch}, now);
  }
  return decimal(text, nanos_per_second);
}

std::string delay_in_words(duration d) {
  auto left = ceil_seconds(d).count();
  if (d <= duration::zero()) return "less than a second";
  std::string words;
  auto const say = [&](std::int64_t unit, const char* name) {
    auto const n = left / unit;
    left %= unit;
    if (n == 0) return;
    if (!words.empty()) words += ' ';
    words += std::to_string(n);
    words += ' ';
    words += name;
    if (n != 1) words += 's';
  };
  say(86400, "day");
  say(3600, "hour");
  say(60, "minute");
  say(1, "second");
  return words;
}

std::string decimal_seconds(duration d) {
  auto const ms = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  std::array<char, 32> text{};
  int const n = std::snprintf(text.data(), text.size(), "%lld.%03lld", static_cast<long long>(ms / 1000),
                              static_cast<long long>(ms % 1000));
  return {text.data(), static_cast<std::size_t>(n)};
}

}  // namespace cooldown
