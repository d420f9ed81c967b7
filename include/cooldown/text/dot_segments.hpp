// Dot segments (RFC 3986 §5.2.4), as the most lenient of servers may see them.
#pragma once

#include <string_view>

namespace cooldown {

/// True if some server might take a segment of the path for "..", and so leave the directories before it: plain, or
/// percent-encoded, also several times over or in overlong UTF-8, between backslashes, or with parameters, a query or a
/// control character behind it.
bool may_climb(std::string_view path);

}  // namespace cooldown
