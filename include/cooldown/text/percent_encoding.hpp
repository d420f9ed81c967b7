// Percent-encoding (RFC 3986 §2.1).
#pragma once

#include <string>
#include <string_view>

namespace cooldown {

/// Decodes one layer. A percent sign without two hexadecimal digits stays unchanged.
std::string percent_decoded(std::string_view text);

}  // namespace cooldown
