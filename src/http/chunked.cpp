#include "cooldown/http/chunked.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "cooldown/text/ascii.hpp"

#include "syntax.hpp"

namespace cooldown::http {
namespace {

constexpr std::uint64_t largest_size = std::uint64_t{1} << 62;
constexpr unsigned most_digits = 32;  // leading zeros included

bool is_white(char c) {
  return c == ' ' || c == '\t';
}

/// HTAB, SP, VCHAR and obs-text: the characters of quoted strings and field values.
bool is_text(char c) {
  auto const u = static_cast<unsigned char>(c);
  return c == '\t' || (u >= 0x20 && u != 0x7f);
}

}  // namespace

std::string encode_chunk(std::string_view data) {
  std::array<char, 16> digits{};
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16).ptr;
  std::string out;
  out.reserve(data.size() + digits.size() + 4);
  out.append(digits.data(), end).append("\r\n").append(data).append("\r\n");
  return out;
}

chunk_decoder::step chunk_decoder::next(std::string_view input) {
  std::size_t used = 0;
  while (at_ != at::done && at_ != at::bad && used < input.size()) {
    if (at_ == at::data) {
      auto const n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - used));
      left_ -= n;
      if (left_ == 0) at_ = at::data_cr;
      return {state::data, used + n, input.substr(used, n)};
    }
    if (is_trailer()) {
      take_trailer(input[used++]);
    } else if (is_extension()) {
      take_extension(input[used++]);
    } else {
      take_framing(input[used++]);
    }
  }
  if (at_ == at::bad) return {state::bad, used, {}};
  return {at_ == at::done ? state::done : state::need_more, used, {}};
}

void chunk_decoder::fail(const char* why) {
  at_ = at::bad;
  error_ = why;
}

void chunk_decoder::expect(char c, char wanted, at then, const char* why) {
  if (c == wanted) {
    at_ = then;
  } else {
    fail(why);
  }
}

void chunk_decoder::take_framing(char c) {
  switch (at_) {
    case at::size_first:
    case at::size:
      return take_size(c);
    case at::size_lf:
      return expect(c, '\n', left_ > 0 ? at::data : at::trailer_start, "a chunk header that does not end in CRLF");
    case at::data_cr:
      return expect(c, '\r', at::data_lf, "chunk data longer than its size");
    case at::data_lf:
      return expect(c, '\n', at::size_first, "chunk data that does not end in CRLF");
    default:
      return expect(c, '\n', at::done, "a chunked body that does not end in CRLF");
  }
}

void chunk_decoder::take_size(char c) {
  if (auto const value = hex_digit(c)) {
    if (at_ == at::size_first) {
      left_ = 0;
      digits_ = 0;
    }
    at_ = at::size;
    if (++digits_ > most_digits || left_ > largest_size / 16) return fail("a chunk size that is too large");
    left_ = left_ * 16 + *value;
    if (left_ > largest_size) fail("a chunk size that is too large");
  } else if (at_ == at::size && c == '\r') {
    at_ = at::size_lf;
  } else if (at_ == at::size && (c == ';' || is_white(c))) {
    extension_ = 0;
    at_ = at::ext_end;
    take_extension(c);
  } else {
    fail("a chunk size that is not hexadecimal");
  }
}

// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )   (RFC 9112 §7.1.1)
void chunk_decoder::take_extension(char c) {
  if (c != '\r' && (++extension_ > max_extension || ++extensions_ > max_extensions))
    return fail("chunk extensions that are too long");
  bool ok = true;
  switch (at_) {
    case at::ext_start:
      ok = is_white(c) || is_token_char(c);
      if (is_token_char(c)) at_ = at::ext_name;
      break;
    case at::ext_name:
      if (!is_token_char(c)) ok = after_name(c) || after_extension(c);
      break;
    case at::ext_name_end:
      ok = after_name(c) || (c == ';' && after_extension(c));
      break;
    case at::ext_value_start:
      ok = is_white(c) || is_token_char(c) || c == '"';
      if (!is_white(c)) at_ = c == '"' ? at::ext_quoted : at::ext_value;
      break;
    case at::ext_value:
      if (!is_token_char(c)) ok = after_extension(c);
      break;
    case at::ext_quoted:
      ok = is_text(c);
      if (c == '"') at_ = at::ext_quoted_end;
      if (c == '\\') at_ = at::ext_escaped;
      break;
    case at::ext_escaped:
      ok = is_text(c);
      at_ = at::ext_quoted;
      break;
    case at::ext_quoted_end:
      ok = after_extension(c);
      break;
    default:  // ext_end: white space was seen, so another extension must follow
      ok = c != '\r' && after_extension(c);
      break;
  }
  if (!ok) fail("a malformed chunk extension");
}

bool chunk_decoder::after_name(char c) {
  if (c == '=') {
    at_ = at::ext_value_start;
  } else if (is_white(c)) {
    at_ = at::ext_name_end;
  }
  return c == '=' || is_white(c);
}

bool chunk_decoder::after_extension(char c) {
  if (c == ';') {
    at_ = at::ext_start;
  } else if (c == '\r') {
    at_ = at::size_lf;
  } else if (is_white(c)) {
    at_ = at::ext_end;
  } else {
    return false;
  }
  return true;
}

// trailer-section = *( field-line CRLF )   (RFC 9112 §7.1.2), without obsolete line folding
void chunk_decoder::take_trailer(char c) {
  if (++trailers_ > max_trailers) return fail("a trailer section that is too long");
  bool ok = true;
  switch (at_) {
    case at::trailer_start:
      ok = c == '\r' || is_token_char(c);
      at_ = c == '\r' ? at::end_lf : at::trailer_name;
      break;
    case at::trailer_name:
      ok = c == ':' || is_token_char(c);
      if (c == ':') at_ = at::trailer_value;
      break;
    case at::trailer_value:
      ok = c == '\r' || is_text(c);
      if (c == '\r') at_ = at::trailer_lf;
      break;
    default:  // trailer_lf
      ok = c == '\n';
      at_ = at::trailer_start;
      break;
  }
  if (!ok) fail("a malformed trailer");
}

}  // namespace cooldown::http
