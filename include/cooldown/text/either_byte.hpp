// Where the next of two bytes stands.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace cooldown {

/// Looks through one text from its front to its back. Each of the two bytes is looked for anew only when it has been
/// passed: the time for all calls together is linear.
class either_byte {
 public:
  either_byte(std::string_view text, char a, char b) : text_(text), a_{a, find(a, 0)}, b_{b, find(b, 0)} {}

  /// From `from` on, which never goes back; the text's size: there is none.
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
