#include "cooldown/dialect/prose.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "cooldown/text/ascii.hpp"

namespace cooldown {
namespace {

/// Of names and words.
constexpr bool is_part_of_word(char c) {
  return is_letter_or_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

struct quotes {
  std::string_view open, close;
};
constexpr quotes kinds[] = {{"`", "`"}, {"\"", "\""}, {"'", "'"}, {"\u201c", "\u201d"}, {"\u2018", "\u2019"}};

/// Where the quotation that opens at `at` ends; nullopt: none opens there. What is not closed was cut off.
std::optional<std::size_t> end_of_quotation(std::string_view text, std::size_t at) {
  auto const kind = std::find_if(std::begin(kinds), std::end(kinds),
                                 [&](const quotes& q) { return text.substr(at).starts_with(q.open); });
  if (kind == std::end(kinds) || (at > 0 && is_part_of_word(text[at - 1]))) return std::nullopt;
  for (auto end = text.find(kind->close, at + kind->open.size()); end != std::string_view::npos;
       end = text.find(kind->close, end + 1)) {
    auto const behind = end + kind->close.size();
    if (text[end - 1] != ' ' && (behind == text.size() || !is_part_of_word(text[behind]))) return behind;
  }
  return kind->open == "'" ? std::nullopt : std::optional(text.size());
}

std::string without_quotations(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (auto const end = end_of_quotation(text, at)) {
      at = *end;
    } else {
      out += text[at++];
    }
  }
  return out;
}

/// Whole names only, with what a provider adds to them ("-2026-01", ":free"): "m" is no part of "minute".
void remove_name(std::string& text, std::string_view name) {
  auto const same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  auto const joins = [](char c) { return c == '-' || c == ':' || c == '.' || c == '@'; };
  for (auto from = text.begin(); !name.empty();) {
    auto const found = std::search(from, text.end(), name.begin(), name.end(), same);
    if (found == text.end()) return;
    auto behind = found + static_cast<std::ptrdiff_t>(name.size());
    bool const inside = (found != text.begin() && (is_part_of_word(found[-1]) || found[-1] == '-')) ||
                        (behind != text.end() && is_part_of_word(*behind));
    while (behind != text.end() && (is_part_of_word(*behind) || joins(*behind))) ++behind;
    from = inside ? found + 1 : text.erase(found, behind);
  }
}

}  // namespace

std::string prose_of(std::string_view message, std::string_view model) {
  bool const is_json = message.find("\":") != std::string_view::npos;
  auto out = is_json ? std::string(message) : without_quotations(message);
  remove_name(out, model);
  remove_name(out, model.substr(model.find_last_of('/') + 1));
  return out;
}

}  // namespace cooldown
