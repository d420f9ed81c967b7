// Which fields a proxy passes on (RFC 9110 §7.6.1), and the framing and identity it writes itself.
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

/// End-to-end fields that a message cannot do without (Host, Content-Length, Authorization, Content-Type, …): they
/// cannot be nominated away.
bool is_protected(std::string_view name);

/// Headers that carry a credential by convention: Authorization, X-Api-Key, Api-Key, X-Goog-Api-Key, X-Auth-Token,
/// Cookie and the like, by their words. Case-insensitive; an underscore is as good as a hyphen.
bool carries_credential(std::string_view name);

/// The credential that a request came with: Authorization, or else the first of those headers but Cookie. Empty: none.
std::string_view credential_in(header_view fields);

/// The session of an agent that a request is of: the first header whose name ends in the word Session, in Session-Id or
/// Session-Affinity (X-Session-Id, X-Claude-Code-Session-Id and the like), or Codex's X-Codex-Window-Id. Empty: none.
std::string_view session_in(header_view fields);

/// What the Connection fields of a message nominate as hop-by-hop, protected fields excepted. Collected once per
/// message: asking for each of n fields would be O(n²) of a client's choosing. Views into `fields`; allocates only if
/// there is one.
class nominations {
 public:
  explicit nominations(header_view fields);
  bool contains(std::string_view name) const;

 private:
  std::vector<std::string_view> names_;  // sorted, without regard to case
};

/// The same for one name, where it is the only question.
bool is_nominated(header_view fields, std::string_view name);

/// Whether a Via field says that the message has passed through whoever goes by that name (RFC 9110 §7.6.3). The name
/// must be one that nobody else has.
bool has_passed(header_view fields, std::string_view pseudonym);

/// Appends "Name: value\r\n".
void append_field(std::string& out, std::string_view name, std::string_view value);

/// The same with a number.
void append_field(std::string& out, std::string_view name, std::uint64_t value);

/// Makes any text safe as a field value: control characters become spaces. Response splitting ends here.
std::string field_value(std::string_view text);

}  // namespace cooldown::http
