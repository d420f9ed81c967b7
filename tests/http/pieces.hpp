// Splits bytes into pieces: a stream parser's result must not depend on that.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace cooldown::http {

/// A copy of bytes in an allocation of exactly their size, so that AddressSanitizer sees one byte read too far.
class exact_copy {
 public:
  explicit exact_copy(std::string_view bytes) : bytes_(new char[bytes.size()]), size_(bytes.size()) {
    bytes.copy(bytes_.get(), size_);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

/// Ways to cut `size` bytes, as increasing ends of pieces: whole, one by one, in two at every place if it is short, and
/// some at random.
inline std::vector<std::vector<std::size_t>> cuts_of(std::size_t size) {
  std::vector<std::vector<std::size_t>> cuts{{size}};
  std::vector<std::size_t> singles;
  for (std::size_t i = 1; i <= size; ++i) singles.push_back(i);
  if (size > 0) cuts.push_back(singles);
  if (size <= 300)
    for (std::size_t i = 1; i < size; ++i) cuts.push_back({i, size});
  std::mt19937 random(static_cast<unsigned>(size));
  for (int round = 0; round < 5 && size > 1; ++round) {
    std::vector<std::size_t> ends;
    for (std::size_t end = 0; end < size;) {
      end = std::min(size, end + 1 + random() % (size / 3 + 1));
      ends.push_back(end);
    }
    cuts.push_back(ends);
  }
  return cuts;
}

/// Bytes for a failure message.
inline std::string printable(std::string_view bytes) {
  std::string out;
  for (char const c : bytes.substr(0, 200)) {
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) {
      constexpr char digits[] = "0123456789abcdef";
      out += "\\x";
      out += digits[static_cast<unsigned char>(c) >> 4u];
      out += digits[static_cast<unsigned char>(c) & 15u];
    } else {
      out += c;
    }
  }
  return bytes.size() > 200 ? out + "…" : out;
}

inline std::string times(std::size_t n, std::string_view text) {
  std::string out;
  out.reserve(n * text.size());
  for (std::size_t i = 0; i < n; ++i) out += text;
  return out;
}

}  // namespace cooldown::http
