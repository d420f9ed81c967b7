// Percent-encoding (RFC 3986 §2.1).
#pragma once

#include <string>
#include <string_view>

namespace cooldown {

/// Without one layer of it. What is not two hexadecimal digits behind a percent sign stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace cooldown
