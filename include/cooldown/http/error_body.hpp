// Error bodies for API clients (docs/api.md).
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// OpenAI's wrapper {"error": {message, type, param, code}} with the same four fields flat beside it, as Cerebras sends
/// them: clients of either kind find what they look for. An empty `param` becomes null in the wrapper, and an empty
/// string beside it, where some of them demand one. Ends with a newline.
std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code);

/// The body of a whole answer as the data of one event, for a client that reads an event stream already: what the
/// status would have said must stand in it. An error becomes {"error": {message, type, param, code, ...},
/// "status_code": N}, without the flat fields, for which readers of events take it for a chunk of text. What is no JSON
/// object becomes an error that quotes the status. A successful answer stays what it is. One line.
std::string answer_as_event(std::string_view body, unsigned status);

}  // namespace cooldown::http
