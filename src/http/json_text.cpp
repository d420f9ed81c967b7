#include "cooldown/http/json_text.hpp"

#include <algorithm>
#include <cstdint>

#include <boost/json/serialize.hpp>

namespace cooldown::http {

namespace {

/// The length of the UTF-8 sequence at the start of `text`; 0: invalid.
std::size_t sequence_length(std::string_view text) {
  auto const at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  auto const continues = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  auto const first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return continues(1) ? 2 : 0;
  // Rejects overlong forms, surrogates, and anything above U+10FFFF.
  if (first >= 0xe0 && first < 0xf0) {
    bool const legal = !(first == 0xe0 && at(1) < 0xa0) && !(first == 0xed && at(1) >= 0xa0);
    return legal && continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    bool const legal = !(first == 0xf0 && at(1) < 0x90) && !(first == 0xf4 && at(1) >= 0x90);
    return legal && continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

char32_t code_point(std::string_view sequence) {
  auto const first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  auto code = static_cast<char32_t>(first & (0x7fU >> sequence.size()));
  for (char const c : sequence.substr(1)) code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
  return code;
}

struct range {
  char32_t first, last;
};

/// Control characters, and format characters (Unicode category Cf) that are invisible or change the order of others.
constexpr range not_shown[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},      {0x61c, 0x61c},
                               {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},  {0x2060, 0x206f},
                               {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

constexpr range white_space[] = {{' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
                                 {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};

template <std::size_t n>
bool is_in(const range (&ranges)[n], char32_t code) {
  return std::ranges::any_of(ranges, [&](const range& r) { return code >= r.first && code <= r.last; });
}

void append_unit(std::string& out, char32_t unit) {
  out += "\\u";
  for (unsigned shift = 16; shift > 0; shift -= 4) out += "0123456789abcdef"[(unit >> (shift - 4)) & 0xfU];
}

/// As in JSON: characters above U+FFFF as two UTF-16 surrogates.
void append_escaped(std::string& out, char32_t code) {
  if (code < 0x10000) return append_unit(out, code);
  append_unit(out, 0xd800 + ((code - 0x10000) >> 10U));
  append_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ffU));
}

/// Most characters; never escaped.
constexpr bool is_plain(char c) {
  return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

template <class F>
std::string escaped_where(std::string_view text, F hides) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto const plain = std::find_if_not(text.begin(), text.end(), [](char c) { return is_plain(c); });
    out.append(text.begin(), plain);
    text.remove_prefix(static_cast<std::size_t>(plain - text.begin()));
    if (text.empty()) break;
    auto const n = sequence_length(text);
    auto const sequence = n == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, n);
    auto const code = code_point(sequence);
    if (hides(code)) {
      append_escaped(out, code);
    } else {
      out += sequence;
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text) {
  return escaped_where(text, [](char32_t code) { return is_in(not_shown, code); });
}

std::string visible_word(std::string_view text) {
  if (text.empty()) return "-";
  return escaped_where(text, [](char32_t code) {
    return code == '"' || code == '\\' || is_in(not_shown, code) || is_in(white_space, code);
  });
}

std::string utf8_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto const n = sequence_length(text);
    if (n == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out += text.substr(0, n);
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

std::string json_text(std::string_view text) {
  return visible(boost::json::serialize(boost::json::string_view(text.data(), text.size())));
}

}  // namespace cooldown::http
