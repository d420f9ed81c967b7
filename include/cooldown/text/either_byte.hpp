// Finds the next occurrence of either of two bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cooldown {

/// Searches one text from front to back. Each byte is searched again only after its last occurrence has been passed, so
/// that all calls together take linear time.
class either_byte {
 public:
  either_byte(std::string_view text, char a, char b) : text_(text), a_{a, find(a, 0)}, b_{b, find(b, 0)} {}

  /// The position at or after `from`, which must not decrease; the text's size: none.
  std::size_t next(std::size_t from) {
    for (auto* const byte : {&a_, &b_})
      if (byte->at < from) byte->at = find(byte->what, from);
    return std::min(a_.at, b_.at);
  }

 private:
  struct place {
    char what;
    std::size_t at;
  };
  std::size_t find(char what, std::size_t from) const { return std::min(text_.find(what, from), text_.size()); }

  std::string_view text_;
  place a_, b_;
};

}  // namespace cooldown
