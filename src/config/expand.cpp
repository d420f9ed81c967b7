#include "expand.hpp"

#include <optional>

#include "cooldown/text/ascii.hpp"

#include "scalars.hpp"

namespace cooldown::config {
namespace {

constexpr std::size_t longest_text = 64 * 1024;

bool is_name_start(char c) {
  return c == '_' || is_letter(c);
}

std::size_t name_length(std::string_view text) {
  if (text.empty() || !is_name_start(text.front())) return 0;
  std::size_t n = 1;
  while (n < text.size() && (is_name_start(text[n]) || is_digit(text[n]))) ++n;
  return n;
}

/// Expands the text between ${ and }, and appends it to `out`.
void expand_reference(std::string_view body, const environment& env, expansion& out) {
  auto const name = body.substr(0, name_length(body));
  auto const rest = body.substr(name.size());
  bool const has_default = rest.starts_with(":-");
  bool const has_message = rest.starts_with(":?");
  // The text is not shown: it may be a key that somebody has put into braces.
  if (name.empty() || !(rest.empty() || has_default || has_message)) {
    out.mistakes.emplace_back(
        "after '${' expected NAME}, NAME:-default} or NAME:?message}; write '$$' for a plain '$'");
    return;
  }
  if (rest.find("${") != std::string_view::npos) {
    out.mistakes.emplace_back("a '${' within '${...}' is not expanded; use one variable");
    return;
  }
  auto const value = env(name);
  if (value && (!value->empty() || rest.empty())) {
    out.text += *value;
    out.from_environment = true;
    return;
  }
  if (has_default) {
    out.text += rest.substr(2);
    return;
  }
  auto const shown = printable(name);
  auto const variable = "environment variable " + shown;
  if (has_message) {
    auto const message = rest.substr(2);
    out.mistakes.push_back(variable + " is " + (value ? "empty" : "not set") +
                           (message.empty() ? std::string{} : ": " + printable(message, 200)));
    return;
  }
  out.mistakes.push_back(variable + " is not set; set it, or write ${" + shown + ":-} to do without");
}

}  // namespace

expansion expand(std::string_view raw, const environment& env) {
  expansion out;
  while (!raw.empty()) {
    auto const dollar = raw.find('$');
    out.text += raw.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    raw.remove_prefix(dollar + 1);
    if (raw.starts_with('{')) {
      auto const close = raw.find('}');
      if (close == std::string_view::npos) {
        out.mistakes.emplace_back("'${' without its '}'; write '$$' for a plain '$'");
        break;
      }
      expand_reference(raw.substr(1, close - 1), env, out);
      raw.remove_prefix(close + 1);
    } else {
      if (raw.starts_with('$')) raw.remove_prefix(1);
      out.text += '$';
    }
    if (out.text.size() > longest_text) {
      out.mistakes.push_back("expands to more than " + show_size(longest_text));
      out.text.clear();
      break;
    }
  }
  return out;
}

}  // namespace cooldown::config
