#include "syntax.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/inet.h>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr bool is_alpha(char c) {
  auto const l = ascii_lower(c);
  return l >= 'a' && l <= 'z';
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
    table[c] = is_digit(ch) || is_alpha(ch) || others.find(ch) != std::string_view::npos;
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

bool is_token_char(char c) {
  return token_chars[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
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
