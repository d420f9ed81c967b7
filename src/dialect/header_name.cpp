#include "cooldown/dialect/header_name.hpp"

#include <algorithm>
#include <utility>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/delay_text.hpp"

namespace cooldown {
namespace {

struct found {
  std::optional<header_item> what{};
  std::optional<resource> counts{};
  std::optional<resource> part{};  // of the tokens
  std::optional<window> over{};
};

struct prefix {
  std::string_view text;  // lower case
  std::optional<resource> counts{};
  std::optional<window> over{};
};

constexpr prefix prefixes[] = {
    {"x-ratelimit-"},
    {"x-rate-limit-"},
    {"anthropic-ratelimit-", {}, window::minute},
    {"x-tokenlimit-", resource::tokens},
    {"x-trial-endpoint-call-", resource::requests, window::minute},
    {"x-endpoint-monthly-call-", resource::requests, window::month},
};

struct word {
  std::string_view text;  // lower case
  found says;
};

constexpr found of_item(header_item i) {
  return {.what = i};
}
constexpr found of_resource(resource r) {
  return {.counts = r};
}
constexpr found of_part(resource r) {
  return {.part = r};
}
constexpr found of_window(window w) {
  return {.over = w};
}

constexpr word words[] = {
    {"limit", of_item(header_item::limit)},
    {"remaining", of_item(header_item::remaining)},
    {"reset", of_item(header_item::reset)},
    {"renewalperiod", of_item(header_item::period)},
    {"requests", of_resource(resource::requests)},
    {"tokens", of_resource(resource::tokens)},
    {"minute", of_window(window::minute)},
    {"hour", of_window(window::hour)},
    {"day", of_window(window::day)},
    {"req", of_resource(resource::requests)},
    {"request", of_resource(resource::requests)},
    {"token", of_resource(resource::tokens)},
    {"input", of_part(resource::input_tokens)},
    {"prompt", of_part(resource::input_tokens)},
    {"output", of_part(resource::output_tokens)},
    {"generated", of_part(resource::output_tokens)},
    {"completion", of_part(resource::output_tokens)},
    {"second", of_window(window::second)},
    {"month", of_window(window::month)},
    {"project", {}},  // the tighter of the organisation's and the project's applies
    {"per", {}},
};

template <class T>
bool combine(std::optional<T>& into, const std::optional<T>& more) {
  if (!more) return true;
  return !std::exchange(into, more);
}

/// False: unknown, or said twice.
bool read(std::string_view text, found& all) {
  auto const* const known =
      std::find_if(std::begin(words), std::end(words), [&](const word& w) { return iequals(w.text, text); });
  if (known == std::end(words)) return false;
  auto const& says = known->says;
  return combine(all.what, says.what) && combine(all.counts, says.counts) && combine(all.part, says.part) &&
         combine(all.over, says.over);
}

}  // namespace

std::optional<header_meaning> meaning_of(std::string_view name, const header_names* others) {
  if (others != nullptr)
    for (auto const& [text, meaning] : *others)
      if (iequals(text, name)) return meaning;
  auto const* const start = std::find_if(std::begin(prefixes), std::end(prefixes),
                                         [&](const prefix& p) { return istarts_with(name, p.text); });
  if (start == std::end(prefixes)) return std::nullopt;
  found all;
  std::string_view text;
  for (auto rest = name.substr(start->text.size()); next_token(rest, '-', text);)
    if (!read(text, all)) return std::nullopt;
  if (!all.what) return std::nullopt;
  auto const counts = all.part ? all.part : all.counts ? all.counts : start->counts;
  return header_meaning{
      .what = *all.what, .counts = counts.value_or(resource::requests), .over = all.over ? all.over : start->over};
}

std::optional<header_meaning> meaning_in_words(std::string_view text) {
  found all;
  std::string_view word;
  for (auto rest = trim(text); next_token(rest, ' ', word);) {
    if (word.empty() || read(word, all)) continue;
    auto const length = parse_delay(word, {});
    auto const over = length ? window::of(*length) : std::nullopt;
    if (!over || !combine(all.over, over)) return std::nullopt;
  }
  auto const counts = all.part ? all.part : all.counts;
  if (!all.what || !counts || (all.part && all.counts == resource::requests)) return std::nullopt;
  return header_meaning{.what = *all.what, .counts = *counts, .over = all.over};
}

std::string in_words(const header_meaning& means) {
  constexpr std::string_view items[] = {"limit", "remaining", "reset", "renewalperiod"};
  std::string text(items[static_cast<std::size_t>(means.what)]);
  std::string counts = name_of(means.counts);
  std::ranges::replace(counts, '_', ' ');
  text += ' ' + counts;
  if (means.over) text += ' ' + name_of(*means.over);
  return text;
}

}  // namespace cooldown
