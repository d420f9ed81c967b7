#include "body_text.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <simdjson.h>

#include "cooldown/http/json_text.hpp"

#include "msgpack.hpp"

namespace cooldown::http {
namespace {

// Bytes of the decoded body, which is held in addition to the body while it is read.
constexpr std::size_t most_unpacked = 32U << 20U;

/// Size and byte order of the code units of UTF-16 and UTF-32.
struct units {
  std::size_t size;  // bytes
  bool big_endian;
  std::size_t mark;  // bytes of its byte order mark
};

/// Detected by the byte order mark, or else by the zeros among the first characters, which are ASCII in JSON (RFC 4627
/// §3). nullopt: UTF-8.
std::optional<units> units_of(std::string_view text) {
  if (text.starts_with(std::string_view("\xff\xfe\0\0", 4))) return units{4, false, 4};
  if (text.starts_with(std::string_view("\0\0\xfe\xff", 4))) return units{4, true, 4};
  if (text.starts_with("\xff\xfe")) return units{2, false, 2};
  if (text.starts_with("\xfe\xff")) return units{2, true, 2};
  if (text.size() < 4) return std::nullopt;
  bool const zero[] = {text[0] == 0, text[1] == 0, text[2] == 0, text[3] == 0};
  if (zero[0] && zero[1] && zero[2]) return units{4, true, 0};
  if (zero[1] && zero[2] && zero[3]) return units{4, false, 0};
  if (zero[0]) return units{2, true, 0};
  if (zero[1]) return units{2, false, 0};
  return std::nullopt;
}

char32_t unit_at(std::string_view text, const units& u) {
  char32_t code = 0;
  for (std::size_t i = 0; i < u.size; ++i)
    code = (code << 8U) | static_cast<unsigned char>(text[u.big_endian ? i : u.size - 1 - i]);
  return code;
}

bool is_high(char32_t code) {
  return code >= 0xd800 && code < 0xdc00;
}

bool is_low(char32_t code) {
  return code >= 0xdc00 && code < 0xe000;
}

void append_utf8(std::string& out, char32_t code) {
  if (is_high(code) || is_low(code) || code > 0x10ffff) code = 0xfffd;
  auto const add = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  auto const rest = [&](unsigned shift) { add(0x80U | ((code >> shift) & 0x3fU)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0U | (code >> 6U));
  } else if (code < 0x10000) {
    add(0xe0U | (code >> 12U));
    rest(6);
  } else {
    add(0xf0U | (code >> 18U));
    rest(12);
    rest(6);
  }
  rest(0);
}

std::string utf8_of(std::string_view text, const units& u) {
  std::string out;
  text.remove_prefix(u.mark);
  while (text.size() >= u.size) {
    auto code = unit_at(text, u);
    text.remove_prefix(u.size);
    if (u.size == 2 && is_high(code) && text.size() >= 2 && is_low(unit_at(text, u))) {
      code = 0x10000 + ((code - 0xd800) << 10U) + (unit_at(text, u) - 0xdc00);
      text.remove_prefix(2);
    }
    append_utf8(out, code);
  }
  return out;
}

/// Replaces one of these names, which Python writes and reads, by a number.
void replace_name(std::string& json, std::size_t at) {
  for (std::string_view const name : {"NaN", "Infinity"})
    if (json.compare(at, name.size(), name) == 0) {
      json.replace(at, name.size(), name.size(), ' ');
      json[at] = '0';
    }
}

/// Converts the first object of the text to strict JSON, and drops what follows, which some servers never read.
void keep_first_object(std::string& json) {
  bool in_string = false;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    auto const c = json[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
    } else if (c == 'N' || c == 'I') {
      replace_name(json, i);
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && depth > 0 && --depth == 0) {
      json.resize(i + 1);
    }
  }
}

}  // namespace

std::string json_in(std::string_view body, content_coding coding) {
  if (coding == content_coding::other) return {};
  std::string plain;
  if (coding == content_coding::zlib) {
    plain = inflated(body, most_unpacked);
    body = plain;
  }
  std::string json;
  if (begins_as_msgpack(body)) {
    json = json_of_msgpack(body, most_unpacked);
  } else if (auto const u = units_of(body)) {
    json = utf8_of(body, *u);
  } else {
    if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
    json = simdjson::validate_utf8(body.data(), body.size()) ? std::string(body) : utf8_text(body);
  }
  keep_first_object(json);
  json.reserve(json.size() + simdjson::SIMDJSON_PADDING);
  return json;
}

}  // namespace cooldown::http
