// Which headers a proxy passes on (RFC 9110 §7.6.1), and the framing and identity that it writes itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

/// Connection, Keep-Alive, Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Trailer, Transfer-Encoding,
/// Upgrade: never forwarded, whatever Connection says. Case-insensitive.
bool is_hop_by_hop(std::string_view name);

/// End-to-end headers that a message needs (Host, Content-Length, Authorization, Content-Type, …): Connection cannot
/// remove them.
bool is_protected(std::string_view name);

/// Headers that carry a credential by convention: Authorization, X-Api-Key, Api-Key, X-Goog-Api-Key, X-Auth-Token,
/// Cookie and the like, by the words in their names. Case-insensitive; underscores count as hyphens.
bool carries_credential(std::string_view name);

/// The credential of a request: Authorization, or else the first of those headers except Cookie. Empty: none.
std::string_view credential_in(header_view fields);

/// The session of an agent that a request is of: the first header whose name ends in the word Session, in Session-Id or
/// Session-Affinity (X-Session-Id, X-Claude-Code-Session-Id and the like), or Codex's X-Codex-Window-Id. Empty: none.
std::string_view session_in(header_view fields);

/// The headers that the Connection headers of a message name as hop-by-hop, except protected ones. Collected once per
/// message: checking each of n headers separately would cost O(n²), with n chosen by the client. Views into `fields`;
/// allocates only if there are any.
class nominations {
 public:
  explicit nominations(header_view fields);
  bool contains(std::string_view name) const;

 private:
  std::vector<std::string_view> names_;  // sorted, case-insensitively
};

/// The same for a single name.
bool is_nominated(header_view fields, std::string_view name);

/// Whether a Via header says that the message has passed through `pseudonym` (RFC 9110 §7.6.3), which must be a unique
/// name.
bool has_passed(header_view fields, std::string_view pseudonym);

/// Appends "Name: value\r\n".
void append_field(std::string& out, std::string_view name, std::string_view value);

/// The same with a number.
void append_field(std::string& out, std::string_view name, std::uint64_t value);

/// Makes any text safe as a header value: control characters become spaces, which prevents response splitting.
std::string field_value(std::string_view text);

}  // namespace cooldown::http
