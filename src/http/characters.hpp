// Unicode characters and their kinds, counted without decoding.
#pragma once

#include <cstdint>
#include <string_view>

#include "cooldown/text/character_kinds.hpp"

namespace cooldown::http {

struct measured_text {
  std::uint64_t chars = 0;
  character_kinds kinds{};
};

/// Characters of valid UTF-8.
std::uint64_t count_characters(std::string_view utf8);

/// The same for a text that is JSON: ASCII counts as code.
measured_text measure_json(std::string_view utf8);

/// Number of characters of a JSON string, given what is between its quotes. An escape is one character, the second half
/// of a surrogate pair none.
std::uint64_t count_escaped_characters(std::string_view between_quotes);

/// The same, by kinds. Samples decide which of the ASCII characters are prose.
measured_text measure_escaped(std::string_view between_quotes);

}  // namespace cooldown::http
