// Text of peers in JSON, in a log and on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// `text` with every byte that is not part of UTF-8 (RFC 3629) replaced by U+FFFD: readers of JSON and of metrics
/// refuse the whole of what has one such byte.
std::string utf8_text(std::string_view text);

/// `text` with every character that is not shown as itself written as JSON writes it (\u009b): control characters (C0,
/// DEL, C1), separators of lines and paragraphs, and what changes the direction of text or has no width. A terminal
/// obeys none of it, and no line pretends to be two, or another. JSON stays the same JSON, and all of it is UTF-8, as
/// utf8_text() makes it.
std::string visible(std::string_view text);

/// visible() as one word without quotes: white space, quotes and backslashes are escaped as well. Empty: "-".
std::string visible_word(std::string_view text);

/// `text` quoted, escaped and visible.
std::string json_text(std::string_view text);

}  // namespace cooldown::http
