#include "cooldown/http/priority.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "cooldown/text/ascii.hpp"

namespace cooldown::http {
namespace {

constexpr std::size_t longest_field = 1024;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

bool is_key_char(char c) {
  return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}

bool is_token_char(char c) {
  return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}

/// Parses structured fields (RFC 8941 §4.2) as far as needed to recognize invalid ones. Each step removes what it
/// parses from the front; false: the whole field is invalid.
class dictionary_parser {
 public:
  explicit dictionary_parser(std::string_view text) : rest_(text) {}

  /// The last `u` that is an integer in range counts; other values of `u` are ignored.
  bool parse(std::optional<std::uint8_t>& urgency) {
    skip(" ");
    while (!rest_.empty()) {
      std::string_view key;
      if (!take_key(key)) return false;
      std::optional<int> value;
      if (take('=')) {
        if (!member(value)) return false;
      } else if (!parameters()) {
        return false;
      }
      if (key == "u") urgency = value ? std::optional(static_cast<std::uint8_t>(*value)) : std::nullopt;
      skip(" \t");
      if (rest_.empty()) return true;
      if (!take(',')) return false;
      skip(" \t");
      if (rest_.empty()) return false;
    }
    return true;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip(std::string_view what) { rest_.remove_prefix(std::min(rest_.find_first_not_of(what), rest_.size())); }

  template <class Is>
  std::string_view take_while(Is is) {
    auto const end = std::find_if_not(rest_.begin(), rest_.end(), is);
    auto const taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  bool take_key(std::string_view& key) {
    if (rest_.empty() || !(is_lower(rest_.front()) || rest_.front() == '*')) return false;
    key = take_while(is_key_char);
    return true;
  }

  bool member(std::optional<int>& urgency) {
    if (!rest_.starts_with('(')) return item(urgency) && parameters();
    return inner_list() && parameters();
  }

  bool inner_list() {
    std::optional<int> ignored;
    take('(');
    for (;;) {
      skip(" ");
      if (take(')')) return true;
      if (!item(ignored) || !parameters()) return false;
      if (!rest_.starts_with(' ') && !rest_.starts_with(')')) return false;
    }
  }

  bool parameters() {
    std::optional<int> ignored;
    std::string_view key;
    while (take(';')) {
      skip(" ");
      if (!take_key(key)) return false;
      if (take('=') && !item(ignored)) return false;
    }
    return true;
  }

  bool item(std::optional<int>& urgency) {
    if (rest_.empty()) return false;
    char const c = rest_.front();
    if (c == '-' || is_digit(c)) return number(urgency);
    if (c == '"') return string();
    if (c == '*' || is_letter(c)) return !take_while(is_token_char).empty();
    if (take('?')) return take('0') || take('1');
    if (take(':')) {
      take_while([](char b) { return is_letter_or_digit(b) || b == '+' || b == '/' || b == '='; });
      return take(':');
    }
    return false;
  }

  bool number(std::optional<int>& urgency) {
    bool const negative = take('-');
    auto const whole = take_while(is_digit);
    if (whole.empty() || whole.size() > 15) return false;
    if (take('.')) {
      auto const fraction = take_while(is_digit);
      return whole.size() <= 12 && !fraction.empty() && fraction.size() <= 3;
    }
    auto const value = parse_u64(whole).value_or(8);
    if (value <= 7 && (!negative || value == 0)) urgency = static_cast<int>(value);
    return true;
  }

  bool string() {
    take('"');
    while (!rest_.empty()) {
      char const c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\' && !take('"') && !take('\\')) return false;
      if (c < ' ' || c == '\x7f') return false;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<std::uint8_t> urgency_of(header_view fields) {
  std::string text;
  for (auto const& f : fields) {
    if (!iequals(f.name, "priority")) continue;
    if (!text.empty()) text += ", ";
    text += f.value;
    if (text.size() > longest_field) return std::nullopt;
  }
  while (text.ends_with(' ')) text.pop_back();
  std::optional<std::uint8_t> urgency;
  if (!dictionary_parser(text).parse(urgency)) return std::nullopt;
  return urgency;
}

}  // namespace cooldown::http
