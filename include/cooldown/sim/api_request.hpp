// What the simulator reads from the body of a metered request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cooldown/sim/rate_headers.hpp"

namespace cooldown::sim {

enum class endpoint : std::uint8_t { chat, completion, embedding };

struct api_request {
  endpoint kind = endpoint::chat;
  std::string model;  // empty if the body cannot be read (compressed or not JSON): then the first model is used
  bool stream = false;
  std::optional<std::int64_t> max_output;  // tokens
  std::int64_t characters = 0;             // of all text in the input, tools included
};

// Reads a JSON body. On failure returns nothing, and `error` is the API's 400 answer.
std::optional<api_request> parse_api_request(endpoint kind, std::string_view body, api_error& error);

}  // namespace cooldown::sim
