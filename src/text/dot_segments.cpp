#include "cooldown/text/dot_segments.hpp"

#include <string>
#include <utility>

#include "cooldown/text/percent_encoding.hpp"

namespace cooldown {
namespace {

// More layers of encoding are treated as an attack.
constexpr int most_encodings = 4;

/// Decodes one layer of percent-encoding, and drops white space that some URL parsers ignore.
std::string decoded(std::string_view path) {
  auto out = percent_decoded(path);
  std::erase_if(out, [](char c) { return c == '\t' || c == '\r' || c == '\n'; });
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
    // These two bytes never occur in UTF-8: they begin an overlong form of an ASCII character (RFC 3629 §10).
    if (next.find_first_of("\xc0\xc1") != std::string::npos || has_dot_dot(next)) return true;
    if (next == plain) return false;
    plain = std::move(next);
  }
  return true;
}

}  // namespace cooldown
