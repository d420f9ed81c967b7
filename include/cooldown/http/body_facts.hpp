// What the scheduler must know of a request body, read by simdjson in place; and the usage a response reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/text/character_kinds.hpp"

namespace cooldown::http {

/// Facts of an OpenAI-shaped request body. A body that is not a JSON object (compressed, msgpack, broken) gives
/// `parsed == false` and only `input_chars`, from its size.
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
/// body nothing is copied. `identity` is false when a Content-Encoding says the bytes are not the JSON itself.
body_facts inspect_body(std::string_view body, std::size_t capacity, bool identity);

/// What a completion cost (OpenAI's `usage`).
struct usage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  std::uint64_t total_tokens = 0;
  std::uint64_t cached_tokens = 0;  // prompt_tokens_details.cached_tokens
  bool operator==(const usage&) const = default;
};

/// Watches a response body go by, JSON or SSE, and keeps no more than its tail: `usage` stands at the end of both.
class usage_reader {
 public:
  /// Body bytes without any transfer coding, in order.
  void feed(std::string_view bytes);

  /// The last `usage` object seen, at the end of the body. nullopt when none was there, or it was not intact.
  std::optional<usage> finish() const;

  /// Tokens in what has gone by, for a body that ends without usage: rather too many. An event has one at least, and
  /// one for every three bytes that it has more than the shortest; other bodies have one for every four bytes.
  std::uint64_t tokens_so_far() const;

  static constexpr std::size_t tail_size = 16 * 1024;

 private:
  void count(std::string_view bytes);

  std::string tail_;  // at most twice tail_size
  std::uint64_t bytes_ = 0;
  std::string line_start_;  // enough to tell what the line is that is going by
  std::uint64_t line_ = 0;  // bytes of it so far
  std::uint64_t events_ = 0;
  std::uint64_t event_bytes_ = 0;
  std::uint64_t shortest_event_ = 0;
};

}  // namespace cooldown::http
