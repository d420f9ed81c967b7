// UTF-8, byte by byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace cooldown {

/// At most the first `most` bytes of a text, not ending within a character.
inline std::string_view front_of(std::string_view utf8, std::size_t most) {
  if (utf8.size() <= most) return utf8;
  while (most > 0 && (static_cast<unsigned char>(utf8[most]) & 0xc0U) == 0x80U) --most;
  return utf8.substr(0, most);
}

}  // namespace cooldown
