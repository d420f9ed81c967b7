#include <cstring>

#include "cooldown/http/head.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t every_byte(unsigned char c) {
  return 0x0101010101010101u * c;
}

bool is_control(char c) {
  auto const u = static_cast<unsigned char>(c);
  return (u < 0x20 && c != '\t') || u == 0x7f;
}

/// The first control character except HTAB in [from, to), or `to`. Eight bytes at a time, because heads contain hardly
/// any.
std::size_t find_control(std::string_view bytes, std::size_t from, std::size_t to) {
  while (to - from >= 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes.data() + from, 8);
    auto const below_space = (eight - every_byte(0x20)) & ~eight;
    auto const no_del = eight ^ every_byte(0x7f);
    auto const del = (no_del - every_byte(1)) & ~no_del;
    if (((below_space | del) & every_byte(0x80)) != 0) {
      for (auto i = from; i < from + 8; ++i)
        if (is_control(bytes[i])) return i;
    }
    from += 8;
  }
  while (from < to && !is_control(bytes[from])) ++from;
  return from;
}

}  // namespace

head_scanner::state head_scanner::fail(unsigned status, const char* reason) {
  error_ = {status, reason};
  return state_ = state::bad;
}

head_scanner::state head_scanner::scan(std::string_view bytes) {
  // Bytes beyond the limit are ignored, so that the result does not depend on how the bytes were split.
  bool const is_full = bytes.size() >= limits_.max_size;
  bytes = bytes.substr(0, limits_.max_size);
  while (state_ == state::need_more && scanned_ < bytes.size()) {
    if (!scan_line(bytes)) break;
  }
  if (state_ == state::need_more && is_full)
    return line_start_ == 0 ? fail(414, "the first line is too long") : fail(431, "the head is too large");
  return state_;
}

bool head_scanner::scan_line(std::string_view bytes) {
  bool const is_first = line_start_ == 0;
  if (!is_first && scanned_ == line_start_ && (bytes[scanned_] == ' ' || bytes[scanned_] == '\t')) {
    fail(400, "a folded field line");
    return false;
  }
  auto const* const found = static_cast<const char*>(std::memchr(&bytes[scanned_], '\n', bytes.size() - scanned_));
  auto const end = found != nullptr ? static_cast<std::size_t>(found - bytes.data()) : bytes.size();
  auto const control = find_control(bytes, scanned_, end);
  bool const ends_in_cr = control + 1 == end && bytes[control] == '\r';
  if (control != end && !ends_in_cr) {
    fail(400, bytes[control] == '\r' ? "a CR without its LF" : "a control character in the head");
    return false;
  }
  if (found == nullptr) {
    scanned_ = control;  // a CR at the very end is looked at again, with what follows it
    return false;
  }
  if (!ends_in_cr) {
    fail(400, "an LF without its CR");
    return false;
  }
  bool const is_empty = control == line_start_;
  if (is_empty && is_first) {
    fail(400, "an empty first line");
    return false;
  }
  line_start_ = scanned_ = end + 1;
  if (is_empty) {
    state_ = state::complete;
  } else if (!is_first && ++fields_ > limits_.max_fields) {
    fail(431, "too many fields");
  }
  return state_ == state::need_more;
}

}  // namespace cooldown::http
