#include "cooldown/http/patience.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t longest = 366ULL * 86400;

/// Decimal seconds: digits, with a fraction or without.
std::optional<double> seconds_in(std::string_view text) {
  if (text.empty() || !is_digit(text.front()) || !is_digit(text.back())) return std::nullopt;
  double seconds = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

}  // namespace

std::optional<duration> wait_preference(header_view fields) {
  for (auto const& f : fields) {
    if (!iequals(f.name, "prefer")) continue;
    std::string_view rest = f.value;
    std::string_view preference;
    while (next_token(rest, ',', preference)) {
      preference = trim(preference.substr(0, preference.find(';')));
      if (!istarts_with(preference, "wait")) continue;
      auto value = trim(preference.substr(4));
      if (value.empty() || value.front() != '=') continue;
      value = trim(value.substr(1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      if (auto const n = parse_u64(value); n && *n <= longest) return std::chrono::seconds{*n};
    }
  }
  return std::nullopt;
}

std::optional<duration> client_timeout(header_view fields) {
  std::optional<duration> shortest;
  for (auto const& f : fields) {
    bool const whole = iequals(f.name, "x-stainless-timeout");
    if (!whole && !iequals(f.name, "x-stainless-read-timeout")) continue;
    auto seconds = seconds_in(f.value);
    // A timeout below a second is truncated to "0".
    if (seconds && *seconds == 0 && whole) seconds = 1;
    if (!seconds || *seconds <= 0) continue;
    auto const timeout = duration_of_seconds(std::min(*seconds, static_cast<double>(longest)));
    shortest = std::min(shortest.value_or(timeout), timeout);
  }
  return shortest;
}

}  // namespace cooldown::http
