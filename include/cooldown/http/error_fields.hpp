// What an error body of the provider says.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

struct error_texts {
  std::string message;
  std::string type;
  std::string code;
};

/// Reads message, type and code of a JSON error, flat or in OpenAI's wrapper. Empty where absent, or when it is not
/// JSON.
error_texts read_error(std::string_view body);

}  // namespace cooldown::http
