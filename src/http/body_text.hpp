// A request's body as JSON in UTF-8, where it is not that already.
#pragma once

#include <string>
#include <string_view>

#include "cooldown/http/content_coding.hpp"

namespace cooldown::http {

/// What a server that is not strict would read in `body`: decoded, in UTF-8, without a byte order mark, with numbers in
/// place of NaN and Infinity, with padding for simdjson behind it. Empty where it cannot be read.
std::string json_in(std::string_view body, content_coding coding);

}  // namespace cooldown::http
