// Converts a request's body to JSON in UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "cooldown/http/content_coding.hpp"

namespace cooldown::http {

/// What a lenient server would read in `body`: decoded, in UTF-8, without a byte order mark, with numbers instead of
/// NaN and Infinity, and with padding for simdjson at the end. Empty if it cannot be read.
std::string json_in(std::string_view body, content_coding coding);

}  // namespace cooldown::http
