#include "cooldown/http/json_text.hpp"

#include <boost/json/serialize.hpp>

namespace cooldown::http {

namespace {

/// The length of the UTF-8 sequence that `text` begins with; 0: it begins with none.
std::size_t sequence_length(std::string_view text) {
  auto const at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  auto const continues = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
  auto const first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return continues(1) ? 2 : 0;
  // Neither overlong forms, nor surrogates, nor anything beyond U+10FFFF.
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

}  // namespace

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
  auto const sound = utf8_text(text);
  return boost::json::serialize(boost::json::string_view(sound.data(), sound.size()));
}

}  // namespace cooldown::http
