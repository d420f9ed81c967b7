#include "cooldown/text/dot_segments.hpp"

#include <optional>
#include <string>

#include "cooldown/text/ascii.hpp"

namespace cooldown {
namespace {

// Nobody means a path that is encoded more often than this.
constexpr int most_encodings = 4;

std::optional<unsigned> hex_digit(char c) {
  c = ascii_lower(c);
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  return std::nullopt;
}

/// Without one layer of percent-encoding. White space that some parsers of URLs ignore is left out.
std::string decoded(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    auto const high = path[i] == '%' && i + 2 < path.size() ? hex_digit(path[i + 1]) : std::nullopt;
    auto const low = high ? hex_digit(path[i + 2]) : std::nullopt;
    auto const c = low ? static_cast<char>(*high * 16 + *low) : path[i];
    if (low) i += 2;
    if (c != '\t' && c != '\r' && c != '\n') out += c;
  }
  return out;
}

bool is_dot_dot(std::string_view segment) {
  if (!segment.starts_with("..")) return false;
  if (segment.size() == 2) return true;
  auto const c = static_cast<unsigned char>(segment[2]);
  return c == ';' || c == '?' || c == '#' || c <= ' ' || c == 0x7f;
}

bool has_dot_dot(std::string_view path) {
  for (;;) {
    auto const end = path.find_first_of("/\\");
    if (is_dot_dot(path.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    path.remove_prefix(end + 1);
  }
}

}  // namespace

bool may_climb(std::string_view path) {
  std::string plain(path);
  for (int i = 0; i < most_encodings; ++i) {
    auto next = decoded(plain);
    // Two bytes that no UTF-8 has: they begin a longer spelling of an ASCII character (RFC 3629 §10).
    if (next.find_first_of("\xc0\xc1") != std::string::npos || has_dot_dot(next)) return true;
    if (next == plain) return false;
    plain = std::move(next);
  }
  return true;
}

}  // namespace cooldown
