// What a path asks for, in whatever spelling a server may take for it.
#pragma once

#include <cstdint>
#include <string_view>

namespace cooldown::http {

enum class endpoint : std::uint8_t {
  completion,  // …/completions, …/responses: generates text
  message,     // …/v1/messages: does so too, with events of another form
  embedding,   // …/embeddings
  other,
};

/// Judges a path in origin form, without its query. Percent-encodings, dot segments (RFC 3986 §6.2.2), doubled and
/// trailing slashes, parameters behind semicolons, backslashes and letters of the other case do not matter: servers
/// differ in what they take for the same resource, and it is what costs tokens where any of them would find that.
endpoint endpoint_of(std::string_view path);

}  // namespace cooldown::http
