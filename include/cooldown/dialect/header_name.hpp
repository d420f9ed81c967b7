// What a rate-limit header tells, by its name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cooldown/limit/limit_id.hpp"

namespace cooldown {

enum class header_item : std::uint8_t {
  limit,
  remaining,
  reset,
  period,  // the window, in seconds, of limits whose names do not tell it
};

struct header_meaning {
  header_item what = header_item::limit;
  resource counts = resource::requests;
  std::optional<window> over{};  // nullopt: the name does not say
  bool operator==(const header_meaning&) const = default;
};

/// Names that nobody has thought of, from the configuration.
using header_names = std::vector<std::pair<std::string, header_meaning>>;

/// Reads names like x-ratelimit-remaining-tokens-minute word by word, in whatever order the words stand; `others` come
/// first. nullopt: not about a limit, or it has a word that is unknown.
std::optional<header_meaning> meaning_of(std::string_view name, const header_names* others = nullptr);

/// Reads such words from the configuration: "remaining tokens minute", "limit requests 10s". nullopt: an item or the
/// resource is missing, or a word is unknown.
std::optional<header_meaning> meaning_in_words(std::string_view text);

/// The same words.
std::string in_words(const header_meaning& means);

}  // namespace cooldown
