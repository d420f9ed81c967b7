// Small grammars of RFC 9110 §5.6 and RFC 3986 §3.2.
#pragma once

#include <cstddef>
#include <string_view>

namespace cooldown::http {

/// The position of the first control character except HTAB in `text`, from `from` on; text.size(): there is none.
std::size_t find_control(std::string_view text, std::size_t from = 0);

/// tchar (RFC 9110 §5.6.2).
bool is_token_char(char c);

/// How many tchars `text` begins with.
std::size_t token_size(std::string_view text);

/// 1*tchar.
bool is_token(std::string_view text);

/// uri-host [ ":" port ] (RFC 9110 §7.2): a name, an IPv4 address or an IPv6 address in brackets; no user, not empty.
bool is_authority(std::string_view text);

/// A request target's characters: visible ASCII without "#". More lenient than RFC 3986, because clients send
/// a raw "|" or "{" in queries, and no known parser mistakes those for anything else.
bool is_target_text(std::string_view text);

}  // namespace cooldown::http
