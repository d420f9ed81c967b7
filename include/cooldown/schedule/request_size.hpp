// The facts about a request that determine its cost.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/text/character_kinds.hpp"

namespace cooldown {

struct request_size {
  std::uint64_t input_chars = 0;
  character_kinds input_kinds{};  // kinds of the input_chars
  std::uint64_t images = 0;
  std::uint64_t choices = 1;
  std::optional<std::uint64_t> max_output_tokens{};
  bool generates = true;  // false: embeddings, nothing is generated
};

}  // namespace cooldown
