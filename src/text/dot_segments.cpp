#include "cooldown/text/dot_segments.hpp"

#include <string>
#include <utility>

#include "cooldown/text/percent_encoding.hpp"

namespace cooldown {
namespace {

// Nobody means a path that is encoded more often than this.
constexpr int most_encodings = 4;

/// Without one layer of percent-encoding. White space that some parsers of URLs ignore is left out.
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
    // Two bytes that no UTF-8 has: they begin a longer spelling of an ASCII character (RFC 3629 §10).
    if (next.find_first_of("\xc0\xc1") != std::string::npos || has_dot_dot(next)) return true;
    if (next == plain) return false;
    plain = std::move(next);
  }
  return true;
}

}  // namespace cooldown
