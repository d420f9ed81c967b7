// One string as JSON.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// `text` with every byte that is not part of UTF-8 (RFC 3629) replaced by U+FFFD: readers of JSON and of metrics
/// refuse the whole of what has one such byte.
std::string utf8_text(std::string_view text);

/// `text` quoted and escaped: neither control characters nor bytes that are not UTF-8 get through.
std::string json_text(std::string_view text);

}  // namespace cooldown::http
