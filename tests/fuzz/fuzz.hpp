// What every fuzz target needs: a property that ends the run when it does not hold, and the same bytes in other pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string_view>

namespace cooldown::fuzz {

/// Not assert(): it must hold in every build, and libFuzzer keeps the input that breaks it.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property does not hold: %s\n", property);
  std::abort();
}

inline std::string_view view_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A copy in an allocation of exactly its size, so that AddressSanitizer sees one byte read too far.
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

/// Cuts bytes into pieces at random. Seeded by the bytes, so that an input alone repeats a run and stays readable.
class cutter {
 public:
  explicit cutter(std::string_view bytes) : random_(static_cast<std::uint32_t>(std::hash<std::string_view>{}(bytes))) {}

  /// A number in [0, n).
  std::size_t below(std::size_t n) { return random_() % n; }

  /// Takes the next piece off the front of `rest`, which is not empty; mostly short ones.
  std::string_view next(std::string_view& rest) {
    auto const most = below(4) == 0 ? rest.size() : std::min<std::size_t>(rest.size(), 8);
    auto const piece = rest.substr(0, 1 + below(most));
    rest.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::minstd_rand random_;
};

/// Takes the text before the first `separator` off the front of `rest`; all of it when there is none.
inline std::string_view take_until(std::string_view& rest, std::string_view separator) {
  auto const at = rest.find(separator);
  auto const part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + separator.size());
  return part;
}

inline bool is_within(std::string_view part, std::string_view whole) {
  std::less<> const before;
  return !before(part.data(), whole.data()) && !before(whole.data() + whole.size(), part.data() + part.size());
}

/// Nothing that could end a line early, or a string.
inline bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

}  // namespace cooldown::fuzz
