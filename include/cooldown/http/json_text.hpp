// Makes text of peers safe in JSON, in logs and on terminals.
#pragma once

#include <string>
#include <string_view>

namespace cooldown::http {

/// `text` with every byte that is not valid UTF-8 (RFC 3629) replaced by U+FFFD: readers of JSON and of metrics reject
/// the whole document because of one such byte.
std::string utf8_text(std::string_view text);

/// `text` with every invisible character escaped as in JSON (\u009b): control characters (C0, DEL, C1), separators of
/// lines and paragraphs, and characters that change the direction of text or have no width. So it can neither control a
/// terminal nor forge another line. JSON keeps its meaning, and the result is valid UTF-8, as with utf8_text().
std::string visible(std::string_view text);

/// visible() as one word without quotes: white space, quotes and backslashes are escaped as well. Empty: "-".
std::string visible_word(std::string_view text);

/// `text` quoted, escaped and visible.
std::string json_text(std::string_view text);

}  // namespace cooldown::http
