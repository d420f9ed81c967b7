// What the scheduler needs to know about a request body, read by simdjson in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/http/content_coding.hpp"
#include "cooldown/text/character_kinds.hpp"

namespace cooldown::http {

/// Facts about an OpenAI-shaped request body. If no object can be read, `parsed` is false, and only `input_chars` is
/// set, from the body's size.
struct body_facts {
  bool parsed = false;
  bool stream = false;
  bool model_repeated = false;                     // `model` occurs more than once: the last one counts
  std::string model;                               // empty when absent; cut to 256 bytes
  std::string user;                                // `user`, for fair shares; cut to 256 bytes
  std::uint64_t input_chars = 0;                   // Unicode characters of all text the model will read, tools included
  character_kinds input_kinds;                     // of input_chars; an unparsed body is all dense
  std::uint64_t images = 0;                        // image_url / input_image parts
  std::uint64_t choices = 1;                       // `n`
  std::optional<std::uint64_t> max_output_tokens;  // max_completion_tokens, else max_tokens
};

/// Reads the facts of `body`. `capacity` is the size of the allocation that holds it: with 64 spare bytes after the
/// body, nothing is copied. Besides plain JSON in UTF-8, it reads what lenient servers accept: gzip and deflate, UTF-16
/// and UTF-32, a byte order mark, MessagePack, NaN, invalid UTF-8, and data after the object.
body_facts inspect_body(std::string_view body, std::size_t capacity, content_coding coding);

}  // namespace cooldown::http
