// Unicode characters, counted without decoding.
#pragma once

#include <cstdint>
#include <string_view>

namespace cooldown::http {

/// Characters of valid UTF-8.
std::uint64_t count_characters(std::string_view utf8);

/// Characters that a JSON string stands for, given what is between its quotes. An escape is one character, the second
/// half of a surrogate pair none.
std::uint64_t count_escaped_characters(std::string_view between_quotes);

}  // namespace cooldown::http
