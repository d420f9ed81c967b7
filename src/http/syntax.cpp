#include "syntax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t every_byte(unsigned char c) {
  return 0x0101010101010101u * c;
}

constexpr bool is_control(char c) {
  auto const u = static_cast<unsigned char>(c);
  return (u < 0x20 && c != '\t') || u == 0x7f;
}

/// A bit in each byte that is a control character, HTAB included, up to the first of them; behind that they may lie.
constexpr std::uint64_t controls_in(std::uint64_t eight) {
  auto const below_space = eight - every_byte(0x20);
  auto const del = (eight ^ every_byte(0x7f)) - every_byte(1);
  return (below_space | del) & ~eight & every_byte(0x80);
}

constexpr bool is_hex(char c) {
  auto const l = ascii_lower(c);
  return is_digit(c) || (l >= 'a' && l <= 'f');
}

/// The alphanumeric characters and `others` as a table.
constexpr std::array<bool, 256> table_of(std::string_view others) {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 128; ++c) {
    auto const ch = static_cast<char>(c);
    table[c] = is_letter_or_digit(ch) || others.find(ch) != std::string_view::npos;
  }
  return table;
}

constexpr auto token_chars = table_of("!#$%&'*+-.^_`|~");
constexpr auto name_chars = table_of("-._~!$&'()*+,;=");  // unreserved and sub-delims

bool is_reg_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
      i += 2;
    } else if (!name_chars[static_cast<unsigned char>(text[i])]) {
      return false;
    }
  }
  return !text.empty();
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  in6_addr address{};
  return inet_pton(AF_INET6, copy.data(), &address) == 1;
}

/// "" or ":" *DIGIT, at most 65535.
bool is_port(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  if (text.empty()) return true;
  auto const port = parse_u64(text);
  return text.size() <= 5 && port && *port <= 65535;
}

}  // namespace

// Eight bytes at a time, because heads contain hardly any.
std::size_t find_control(std::string_view text, std::size_t from) {
  while (text.size() - from >= 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + from, 8);
    if constexpr (std::endian::native == std::endian::big) eight = __builtin_bswap64(eight);
    auto const controls = controls_in(eight);
    if (controls == 0) {
      from += 8;
      continue;
    }
    from += static_cast<std::size_t>(std::countr_zero(controls)) / 8;
    if (text[from] != '\t') return from;
    ++from;
  }
  while (from < text.size() && !is_control(text[from])) ++from;
  return from;
}

bool is_token_char(char c) {
  return token_chars[static_cast<unsigned char>(c)];
}

std::size_t token_size(std::string_view text) {
  std::size_t n = 0;
  while (n < text.size() && is_token_char(text[n])) ++n;
  return n;
}

bool is_token(std::string_view text) {
  return !text.empty() && token_size(text) == text.size();
}

bool is_authority(std::string_view text) {
  if (text.starts_with('[')) {
    auto const close = text.find(']');
    return close != std::string_view::npos && is_ipv6(text.substr(1, close - 1)) && is_port(text.substr(close + 1));
  }
  auto const host = text.substr(0, text.find(':'));
  return is_reg_name(host) && is_port(text.substr(host.size()));
}

bool is_target_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}

}  // namespace cooldown::http
