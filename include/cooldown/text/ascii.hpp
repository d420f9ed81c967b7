// ASCII-only, locale-free text helpers (beast::iequals of 1.81 reads past the end; <cctype> asks the locale).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cooldown {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  // Names of one length differ at the end more often than at the start: x-ratelimit-…
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  return true;
}

constexpr bool istarts_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

/// Whether `part` is somewhere in `text`.
constexpr bool icontains(std::string_view text, std::string_view part) {
  auto const same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  auto const lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'z';
}

constexpr bool is_letter_or_digit(char c) {
  return is_letter(c) || is_digit(c);
}

/// The value of a hexadecimal digit of either case; nullopt: not a hexadecimal digit.
constexpr std::optional<unsigned> hex_digit(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  auto const lower = ascii_lower(c);
  if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a') + 10;
  return std::nullopt;
}

/// Removes optional white space, SP and HTAB (RFC 9110 §5.6.3), from both ends.
constexpr std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

/// A string of decimal digits as a number. nullopt: empty, or with a sign, white space or overflow.
constexpr std::optional<std::uint64_t> parse_u64(std::string_view s) {
  if (s.empty()) return std::nullopt;
  std::uint64_t n = 0;
  for (char const c : s) {
    auto const digit = static_cast<unsigned>(c - '0');
    if (digit > 9 || __builtin_mul_overflow(n, 10U, &n) || __builtin_add_overflow(n, digit, &n)) return std::nullopt;
  }
  return n;
}

/// Removes the part before the first `separator` from the front of `rest` and returns it, trimmed, in `token`. False
/// when nothing is left.
constexpr bool next_token(std::string_view& rest, char separator, std::string_view& token) {
  if (rest.data() == nullptr) return false;
  auto at = rest.find(separator);
  token = trim(rest.substr(0, at));
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return true;
}

}  // namespace cooldown
