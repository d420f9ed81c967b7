#include "characters.hpp"

#include <algorithm>
#include <cstring>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t ones = 0x0101010101010101u;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u;
}

/// Continuation bytes, 10xxxxxx, eight at a time. Each lane counts up to 255 before the lanes are added up.
std::uint64_t count_continuations(std::string_view bytes) {
  std::uint64_t total = 0;
  std::size_t at = 0;
  while (bytes.size() - at >= 8) {
    std::uint64_t lanes = 0;
    for (unsigned round = 0; round < 255 && bytes.size() - at >= 8; ++round, at += 8) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, bytes.data() + at, 8);
      lanes += (eight >> 7u) & ~(eight >> 6u) & ones;
    }
    constexpr std::uint64_t even = 0x00ff00ff00ff00ffu;
    auto const pairs = (lanes & even) + ((lanes >> 8u) & even);
    total += (pairs * 0x0001000100010001u) >> 48u;
  }
  for (; at < bytes.size(); ++at) total += is_continuation(bytes[at]) ? 1u : 0u;
  return total;
}

/// \uDC00 to \uDFFF.
bool is_low_surrogate(std::string_view hex) {
  auto const second = ascii_lower(hex[1]);
  return ascii_lower(hex[0]) == 'd' && second >= 'c' && second <= 'f';
}

}  // namespace

std::uint64_t count_characters(std::string_view utf8) {
  return utf8.size() - count_continuations(utf8);
}

std::uint64_t count_escaped_characters(std::string_view text) {
  auto const count = count_characters(text);
  std::uint64_t spent_on_escapes = 0;
  for (auto at = text.find('\\'); at != std::string_view::npos && at + 1 < text.size(); at = text.find('\\', at)) {
    if (text[at + 1] == 'u' && text.size() - at >= 6) {
      spent_on_escapes += is_low_surrogate(text.substr(at + 2, 4)) ? 6u : 5u;
      at += 6;
    } else {
      spent_on_escapes += 1;
      at += 2;
    }
  }
  return count - std::min(count, spent_on_escapes);  // what is not JSON must not wrap around
}

}  // namespace cooldown::http
