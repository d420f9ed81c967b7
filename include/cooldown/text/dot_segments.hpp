// Dot segments (RFC 3986 §5.2.4), as the most lenient of servers may see them.
#pragma once

#include <string_view>

namespace cooldown {

/// True if some server might read a segment of the path as "..", and so leave the directories before it: plain,
/// percent-encoded (also repeatedly, or in overlong UTF-8), between backslashes, or followed by parameters, a query or
/// a control character.
bool may_climb(std::string_view path);

}  // namespace cooldown
