// What an error body of the provider says.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

struct error_texts {
  std::string message;
  std::string type;
  std::string code;
  std::string wait;  // of a field that holds nothing else: "37s", "12.5"
};

/// Reads the error in a JSON body: flat, in the wrapper of OpenAI and Anthropic, in Google's array, or as problem
/// details (RFC 9457). Numbers are taken as they are written. Empty where absent, or when it is not JSON.
error_texts read_error(std::string_view body);

}  // namespace cooldown::http
