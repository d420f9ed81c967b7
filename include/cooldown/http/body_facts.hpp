// What the scheduler must know of a request body, read by simdjson in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/http/content_coding.hpp"
#include "cooldown/text/character_kinds.hpp"

namespace cooldown::http {

/// Facts of an OpenAI-shaped request body. A body in which no object can be read gives `parsed == false` and only
/// `input_chars`, from its size.
struct body_facts {
  bool parsed = false;
  bool stream = false;
  std::string model;                               // empty when absent; longer than 256 bytes: cut
  std::string user;                                // `user`, for fair shares; cut likewise
  std::uint64_t input_chars = 0;                   // Unicode characters of all text the model will read, tools included
  character_kinds input_kinds;                     // of these; all of a body that is not parsed is dense
  std::uint64_t images = 0;                        // image_url / input_image parts
  std::uint64_t choices = 1;                       // `n`
  std::optional<std::uint64_t> max_output_tokens;  // max_completion_tokens, else max_tokens
};

/// Reads the facts of `body`. `capacity` is the size of the allocation that holds it: with 64 spare bytes behind the
/// body nothing is copied. What is not plain JSON in UTF-8 is read as servers read it that are not strict: gzip and
/// deflate, UTF-16 and UTF-32, a byte order mark, MessagePack, NaN, bytes that are no UTF-8, more behind the object.
body_facts inspect_body(std::string_view body, std::size_t capacity, content_coding coding);

}  // namespace cooldown::http
