// The kinds of characters in a text that matter to tokenizers.
#pragma once

#include <cstdint>

namespace cooldown {

/// Counts the characters of a text that are not ASCII prose. Tokenizers make about one token of four characters of
/// prose, of three of code, and of one of many other scripts.
struct character_kinds {
  std::uint64_t code = 0;   // ASCII in code, JSON, tables
  std::uint64_t other = 0;  // beyond ASCII: other scripts, emoji
  std::uint64_t dense = 0;  // ASCII without blanks: base64, hashes; also unreadable data such as a compressed body

  character_kinds& operator+=(const character_kinds& more) {
    code += more.code;
    other += more.other;
    dense += more.dense;
    return *this;
  }
  bool operator==(const character_kinds&) const = default;
};

}  // namespace cooldown
