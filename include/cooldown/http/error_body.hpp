// Error bodies for API clients (docs/api.md).
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// OpenAI's wrapper {"error": {message, type, param, code}} plus the same four fields flat, as Cerebras sends them, for
/// clients of either kind. An empty `param` becomes null in the wrapper and an empty string in the flat field, as some
/// clients require. Ends with a newline.
std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code);

/// The body of a complete answer as the data of one event, for a client that already reads an event stream and so
/// cannot see the status. An error becomes {"error": {message, type, param, code, ...}, "status_code": N}, without the
/// flat fields, because with those some readers take it for a chunk of text. A body that is not a JSON object becomes
/// an error that quotes the status. A successful answer stays unchanged. One line.
std::string answer_as_event(std::string_view body, unsigned status);

}  // namespace cooldown::http
