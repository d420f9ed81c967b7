// The texts of the provider's error bodies.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

struct error_texts {
  std::string message;
  std::string type;
  std::string code;
  std::string wait;  // a delay in a separate member: "37s", "12.5"
};

/// Reads the error in a JSON body: flat, in the wrapper of OpenAI and Anthropic, in Google's array, or as problem
/// details (RFC 9457). Numbers are kept as written. Empty if absent or not JSON.
error_texts read_error(std::string_view body);

}  // namespace cooldown::http
