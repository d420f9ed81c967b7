#include "msgpack.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>

#include "cooldown/http/json_text.hpp"

namespace cooldown::http {
namespace {

constexpr unsigned deepest = 64;
/// A key holds no other values. Quoting keys within keys would double the text at each level.
constexpr unsigned deepest_key = 1;

unsigned byte_of(char c) {
  return static_cast<unsigned char>(c);
}

class converter {
 public:
  converter(std::string_view from, std::size_t most) : left_(from), most_(most) {}

  bool value(unsigned depth) {
    if (depth == 0 || left_.empty() || out_.size() > most_) return false;
    auto const tag = byte_of(left_.front());
    left_.remove_prefix(1);
    if (tag < 0x80) return write(std::to_string(tag));
    if (tag < 0x90) return members(tag & 0xfU, depth);
    if (tag < 0xa0) return elements(tag & 0xfU, depth);
    if (tag < 0xc0) return text(tag & 0x1fU);
    if (tag >= 0xe0) return write(std::to_string(static_cast<int>(tag) - 0x100));
    return tagged(tag, depth);
  }

  bool at_end() const { return left_.empty(); }
  std::string take() { return std::move(out_); }

 private:
  bool tagged(unsigned tag, unsigned depth) {
    switch (tag) {
      case 0xc0:
        return write("null");
      case 0xc2:
        return write("false");
      case 0xc3:
        return write("true");
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return skip(number(1U << (tag - 0xc4)), 0);
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return skip(number(1U << (tag - 0xc7)), 1);
      case 0xca:
      case 0xcb:
        return real(tag == 0xca ? 4 : 8);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return whole(number(1U << (tag - 0xcc)));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return negative(1U << (tag - 0xd0));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return skip(1U << (tag - 0xd4), 1);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return text(number(1U << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return elements(number(tag == 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return members(number(tag == 0xde ? 2 : 4), depth);
      default:
        return false;
    }
  }

  bool write(std::string_view json) {
    out_ += json;
    return true;
  }

  /// Big-endian.
  std::optional<std::uint64_t> number(std::size_t bytes) {
    if (left_.size() < bytes) return std::nullopt;
    std::uint64_t n = 0;
    for (char const c : left_.substr(0, bytes)) n = (n << 8U) | byte_of(c);
    left_.remove_prefix(bytes);
    return n;
  }

  bool whole(std::optional<std::uint64_t> n) { return n && write(std::to_string(*n)); }

  bool negative(std::size_t bytes) {
    auto const n = number(bytes);
    if (!n) return false;
    auto const unused = 64 - 8 * bytes;
    return write(std::to_string(static_cast<std::int64_t>(*n << unused) >> unused));
  }

  bool real(std::size_t bytes) {
    auto const bits = number(bytes);
    if (!bits) return false;
    double const d = bytes == 4 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(*bits)))
                                : std::bit_cast<double>(*bits);
    std::array<char, 32> digits{};  // the shortest that tell it; all of the largest would be 309
    auto const end = std::to_chars(digits.begin(), digits.end(), d).ptr;
    return write(std::isfinite(d) ? std::string_view(digits.begin(), end) : "null");
  }

  bool text(std::optional<std::uint64_t> size) {
    if (!size || left_.size() < *size) return false;
    out_ += json_text(left_.substr(0, *size));
    left_.remove_prefix(*size);
    return true;
  }

  /// Bytes and extensions have no counterpart in JSON.
  bool skip(std::optional<std::uint64_t> size, std::size_t more) {
    if (!size || left_.size() < *size + more) return false;
    left_.remove_prefix(*size + more);
    return write("null");
  }

  bool elements(std::optional<std::uint64_t> count, unsigned depth) {
    if (!count) return false;
    out_ += '[';
    for (std::uint64_t i = 0; i < *count; ++i) {
      if (i > 0) out_ += ',';
      if (!value(depth - 1)) return false;
    }
    return write("]");
  }

  bool members(std::optional<std::uint64_t> count, unsigned depth) {
    if (!count) return false;
    out_ += '{';
    for (std::uint64_t i = 0; i < *count; ++i) {
      if (i > 0) out_ += ',';
      auto const at = out_.size();
      if (!value(deepest_key)) return false;
      if (out_[at] != '"') out_.replace(at, std::string::npos, json_text(std::string_view(out_).substr(at)));
      out_ += ':';
      if (!value(depth - 1)) return false;
    }
    return write("}");
  }

  std::string_view left_;
  std::size_t most_;
  std::string out_;
};

}  // namespace

bool begins_as_msgpack(std::string_view body) {
  if (body.empty()) return false;
  auto const first = byte_of(body.front());
  return (first & 0xf0U) == 0x80U || first == 0xde || first == 0xdf;
}

std::string json_of_msgpack(std::string_view body, std::size_t most) {
  converter c(body, most);
  return c.value(deepest) && c.at_end() ? c.take() : std::string();
}

}  // namespace cooldown::http
