#include "cooldown/http/head.hpp"

#include "syntax.hpp"

namespace cooldown::http {

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
  auto const control = find_control(bytes, scanned_);
  bool const is_cr = control < bytes.size() && bytes[control] == '\r';
  if (control == bytes.size() || (is_cr && control + 1 == bytes.size())) {
    scanned_ = control;  // a CR at the very end is looked at again, with what follows it
    return false;
  }
  if (!is_cr || bytes[control + 1] != '\n') {
    fail(400, is_cr                    ? "a CR without its LF"
              : bytes[control] == '\n' ? "an LF without its CR"
                                       : "a control character in the head");
    return false;
  }
  bool const is_empty = control == line_start_;
  if (is_empty && is_first) {
    fail(400, "an empty first line");
    return false;
  }
  line_start_ = scanned_ = control + 2;
  if (is_empty) {
    state_ = state::complete;
  } else if (!is_first && ++fields_ > limits_.max_fields) {
    fail(431, "too many fields");
  }
  return state_ == state::need_more;
}

}  // namespace cooldown::http
