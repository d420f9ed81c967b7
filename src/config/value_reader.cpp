#include "value_reader.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "cooldown/text/ascii.hpp"

#include "expand.hpp"

namespace cooldown::config {
namespace {

std::string with_article(std::string_view noun) {
  if (noun == "words") return std::string(noun);
  bool const vowel = std::string_view("aeio").find(noun.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + std::string(noun);
}

std::string_view without_line_end(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// "$NAME": expanded by a shell, but not in this file.
bool looks_like_variable(std::string_view text) {
  return text.size() > 1 && text.front() == '$' && text[1] != '$' && text[1] != '{' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c == '_' || is_letter_or_digit(c); });
}

/// Whether text where no secret is expected may contain one: pasted at the wrong key, or included in a value whose
/// quote is closed much later.
bool may_hold_secret(std::string_view text) {
  return text.size() > 60 || text.find("sk-") != std::string_view::npos;
}

}  // namespace

std::string_view kind_name(yaml_node::kind kind) {
  switch (kind) {
    case yaml_node::kind::null:
      return "nothing";
    case yaml_node::kind::scalar:
      return "a single value";
    case yaml_node::kind::list:
      return "a list";
    case yaml_node::kind::map:
      return "a map";
  }
  return "nothing";
}

std::string joined(const std::vector<std::string>& names, std::string_view separator) {
  std::string list;
  for (auto const& name : names) list.append(list.empty() ? "" : separator).append(name);
  return list;
}

bool name_may_hold_secret(std::string_view name) {
  return may_hold_secret(name) || name.find_first_of(":=$\"'") != std::string_view::npos;
}

void value_reader::complain(place at, std::string key, std::string message) {
  problems_.push_back({file_, at.line, at.column, std::move(key), std::move(message)});
}

place value_reader::place_of(const std::string& path) const {
  auto const it = given_.find(path);
  return it == given_.end() ? place{} : it->second.at;
}

bool value_reader::is_good(std::string path) const {
  for (;;) {
    auto const it = given_.find(path);
    if (it != given_.end() && !it->second.good) return false;
    auto const dot = path.rfind('.');
    if (dot == std::string::npos) return true;
    path.resize(dot);
  }
}

problems value_reader::take() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const problem& a, const problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return std::move(problems_);
}

bool value_reader::read_scalar(const scalar_rule& rule, const yaml_node& node, const scalar_reading& read) {
  auto const say = [&](std::string message) { complain(node.at, rule.path, std::move(message)); };
  if (!node.refusal.empty()) {
    say(node.refusal);
    return false;
  }
  if (node.type == yaml_node::kind::list || node.type == yaml_node::kind::map) {
    bool const brackets = rule.kind == "host" && node.type == yaml_node::kind::list;
    say("expected " + with_article(rule.kind) + ", found " + std::string(kind_name(node.type)) +
        (brackets ? "; an IPv6 address in brackets needs quotes" : ""));
    return false;
  }
  if (node.type == yaml_node::kind::null && !rule.may_be_empty) {
    say(rule.fallback.empty() ? "has no value"
                              : "has no value; remove the line to take the default (" + rule.fallback + ")");
    return false;
  }
  auto const raw = without_line_end(node.text);
  auto const value = expand(raw, env_);
  for (auto const& mistake : value.mistakes) say(mistake);
  if (!value.mistakes.empty()) return false;
  auto const text = without_line_end(value.text);
  if (rule.secret && looks_like_variable(raw)) {
    say("write ${NAME} for the value of a variable, or '$$' for a plain '$' (value hidden)");
    return false;
  }
  auto bad = read(text);
  if (!bad) return true;
  bool const hidden = rule.secret || value.from_environment || bad->hide || may_hold_secret(text);
  say(bad->why + (hidden ? " (value hidden)" : bad->hint + "; got " + in_quotes(text)));
  return false;
}

}  // namespace cooldown::config
