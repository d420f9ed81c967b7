// Error bodies for API clients (docs/api.md).
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// OpenAI's wrapper {"error": {message, type, param, code}} with the same four fields flat beside it, as Cerebras sends
/// them: clients of either kind find what they look for. An empty `param` becomes null. Ends with a newline.
std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code);

}  // namespace cooldown::http
