#include "scalars.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "cooldown/text/ascii.hpp"

namespace cooldown::config {
namespace {

using std::chrono::milliseconds;

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first, the required order of a duration's parts.
constexpr std::uint64_t day = 86'400'000;
constexpr std::array duration_units{unit{"y", 365 * day}, unit{"d", day},   unit{"h", 3'600'000},
                                    unit{"m", 60'000},    unit{"s", 1'000}, unit{"ms", 1}};
constexpr std::array size_units{unit{"TiB", 1ULL << 40},
                                unit{"GiB", 1ULL << 30},
                                unit{"MiB", 1ULL << 20},
                                unit{"KiB", 1ULL << 10},
                                unit{"TB", 1'000'000'000'000},
                                unit{"GB", 1'000'000'000},
                                unit{"MB", 1'000'000},
                                unit{"KB", 1'000},
                                unit{"kB", 1'000},
                                unit{"B", 1}};

constexpr std::string_view duration_help = "expected a duration such as 250ms, 10s, 5m or 1h30m";
constexpr std::string_view size_help = "expected a size such as 64KiB, 32MiB or 1GiB, or a number of bytes";

// Larger than every range, but far enough below 2^64 to add a few of them.
constexpr std::uint64_t too_much = 1'000'000'000'000'000'000;

std::string between(std::string_view low, std::string_view high) {
  return "must be between " + std::string(low) + " and " + std::string(high);
}

std::string_view take_while(std::string_view& rest, bool (*wanted)(char)) {
  auto const end = std::find_if_not(rest.begin(), rest.end(), wanted);
  auto const taken = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(taken.size());
  return taken;
}

struct decimal {
  std::string_view whole;
  std::string_view fraction;
};

/// Removes digits with an optional fraction from the front of `rest`; nullopt if there are none.
std::optional<decimal> take_decimal(std::string_view& rest) {
  decimal d{take_while(rest, is_digit), {}};
  if (d.whole.empty()) return std::nullopt;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    d.fraction = take_while(rest, is_digit);
    if (d.fraction.empty()) return std::nullopt;
  }
  while (d.fraction.ends_with('0')) d.fraction.remove_suffix(1);
  return d;
}

/// d × factor, at most `too_much`; nullopt when it is no whole number.
std::optional<std::uint64_t> times(decimal d, std::uint64_t factor) {
  if (d.fraction.size() > 12) return std::nullopt;
  std::uint64_t scale = 1;
  for (std::size_t i = 0; i < d.fraction.size(); ++i) scale *= 10;
  __extension__ using wide = unsigned __int128;
  auto const fraction = static_cast<wide>(parse_u64(d.fraction).value_or(0)) * factor;
  if (fraction % scale != 0) return std::nullopt;
  auto const whole = parse_u64(d.whole);
  if (!whole || *whole > too_much / factor) return too_much;
  return std::min(*whole * factor + static_cast<std::uint64_t>(fraction / scale), too_much);
}

bool is_visible_ascii(char c) {
  return c > ' ' && c < '\x7f';
}
bool is_control(char c) {
  return (c >= '\0' && c < ' ') || c == '\x7f';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

reading<std::uint64_t> read_integer(std::string_view text, std::uint64_t low, std::uint64_t high) {
  auto const range = between(std::to_string(low), std::to_string(high));
  auto digits = text;
  bool const negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit))
    return rejection{"expected an integer, digits only"};
  // YAML 1.1 reads 010 as eight, YAML 1.2 as ten.
  if (digits.size() > 1 && digits.front() == '0') return rejection{"expected an integer without leading zeros"};
  auto const value = parse_u64(digits);
  if (!value || (negative && *value != 0) || *value < low || *value > high) return rejection{range};
  return *value;
}

reading<double> read_decimal(std::string_view text, double low, double high) {
  auto rest = text;
  if (!take_decimal(rest) || !rest.empty() || text.size() > 20) return rejection{"expected a number such as 2 or 0.25"};
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  auto const shown = [](double v) {
    auto digits = std::to_string(v);
    digits.resize(digits.find_last_not_of('0') + 1);
    return digits.ends_with('.') ? digits.substr(0, digits.size() - 1) : digits;
  };
  if (value < low || value > high) return rejection{between(shown(low), shown(high))};
  return value;
}

reading<bool> read_boolean(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return rejection{"expected true or false"};
}

reading<milliseconds> read_duration(std::string_view text, milliseconds low, milliseconds high) {
  if (text != "0" && !text.empty() && std::all_of(text.begin(), text.end(), is_digit))
    return rejection{"a duration needs its unit", false,
                     ": say " + in_quotes(std::string(text) + "s") + " or " + in_quotes(std::string(text) + "ms")};
  std::uint64_t total = 0;
  auto rest = text;
  if (rest == "0") rest = "0s";
  if (rest.empty()) return rejection{std::string(duration_help)};
  for (auto next = duration_units.begin(); !rest.empty();) {
    auto const number = take_decimal(rest);
    auto const name = take_while(rest, is_letter);
    auto const found = std::find_if(next, duration_units.end(), [&](const unit& u) { return u.name == name; });
    if (!number || found == duration_units.end()) return rejection{std::string(duration_help)};
    auto const value = times(*number, found->factor);
    if (!value) return rejection{"a duration cannot be finer than a millisecond"};
    total = std::min(total + *value, too_much);
    next = found + 1;
  }
  auto const value = milliseconds{static_cast<milliseconds::rep>(total)};
  if (value < low || value > high) return rejection{between(show_duration(low), show_duration(high))};
  return value;
}

std::optional<milliseconds> duration_of(std::string_view text) {
  auto const read = read_duration(text, milliseconds::zero(), milliseconds::max());
  auto const* const value = std::get_if<milliseconds>(&read);
  return value ? std::optional(*value) : std::nullopt;
}

reading<std::uint64_t> read_size(std::string_view text, std::uint64_t low, std::uint64_t high) {
  auto rest = text;
  auto const number = take_decimal(rest);
  if (!number) return rejection{std::string(size_help)};
  if (rest.empty()) rest = "B";
  auto const found = std::find_if(size_units.begin(), size_units.end(), [&](const unit& u) { return u.name == rest; });
  if (found == size_units.end()) return rejection{std::string(size_help)};
  auto const value = times(*number, found->factor);
  if (!value) return rejection{"a size is a whole number of bytes"};
  if (*value < low || *value > high) return rejection{between(show_size(low), show_size(high))};
  return *value;
}

reading<std::string> read_secret(std::string_view text) {
  if (text.size() > 4096) return rejection{"must not be longer than 4096 characters"};
  if (!text.empty() && (is_space(text.front()) || is_space(text.back())))
    return rejection{"must not begin or end with white space"};
  if (istarts_with(text, "bearer ")) return rejection{"must be the key alone, without 'Bearer '"};
  if (!std::all_of(text.begin(), text.end(), is_visible_ascii))
    return rejection{"must be visible ASCII characters only: no spaces, line breaks or other control characters"};
  if (text.starts_with('"') || text.starts_with('\'')) return rejection{"must not keep its quotes"};
  return std::string(text);
}

reading<std::string> read_path(std::string_view text) {
  if (text.size() > 4095) return rejection{"must not be longer than 4095 characters"};
  if (std::any_of(text.begin(), text.end(), is_control)) return rejection{"must not contain control characters"};
  return std::string(text);
}

std::string show_duration(milliseconds value) {
  auto const ms = static_cast<std::uint64_t>(value.count());
  // Minutes are used from five on, and days from two on, because people write 120s and 24h rather than 2m and 1d.
  if (ms >= 365 * day && ms % (365 * day) == 0) return std::to_string(ms / (365 * day)) + "y";
  if (ms >= 2 * day && ms % day == 0) return std::to_string(ms / day) + "d";
  if (ms >= 3'600'000 && ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  if (ms >= 300'000 && ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  if (ms >= 1'000 && ms % 1'000 == 0) return std::to_string(ms / 1'000) + "s";
  return ms == 0 ? "0s" : std::to_string(ms) + "ms";
}

std::string show_size(std::uint64_t bytes) {
  for (auto const& u : size_units)
    if (u.name.ends_with("iB") && bytes >= u.factor && bytes % u.factor == 0)
      return std::to_string(bytes / u.factor) + std::string(u.name);
  return std::to_string(bytes);
}

std::string printable(std::string_view text, std::size_t longest) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out;
  for (char const c : text.substr(0, longest)) {
    if (c == ' ' || is_visible_ascii(c)) {
      out += c;
      continue;
    }
    auto const byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += hex[byte >> 4U];
    out += hex[byte & 15U];
  }
  return text.size() > longest ? out + "..." : out;
}

std::string in_quotes(std::string_view text) {
  return '\'' + printable(text) + '\'';
}

}  // namespace cooldown::config
