// Recognizes endpoints in every spelling that a server may accept.
#pragma once

#include <cstdint>
#include <string_view>

namespace cooldown::http {

enum class endpoint : std::uint8_t {
  completion,  // …/completions, …/responses: generates text
  message,     // …/v1/messages: generates text, with events of another form
  embedding,   // …/embeddings
  request,     // audio, images, reranking, moderations, batches: what it costs beside a request, nobody can tell
  other,
};

/// Classifies a path in origin form, without its query. Ignored are percent-encodings, dot segments (RFC 3986 §6.2.2),
/// doubled and trailing slashes, parameters after semicolons, backslashes and case: servers differ in what they accept,
/// and a path is metered if any of them would.
endpoint endpoint_of(std::string_view path);

}  // namespace cooldown::http
