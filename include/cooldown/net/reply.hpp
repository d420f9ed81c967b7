// Answers of the proxy itself.
#pragma once

#include <optional>
#include <string>

#include "cooldown/exchange/outcome.hpp"
#include "cooldown/net/client_connection.hpp"
#include "cooldown/net/destination.hpp"
#include "cooldown/net/request.hpp"

namespace cooldown::net {

struct local_reply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string fields;  // further header lines, each ending in CRLF
};

/// Details of a rejection besides its reason (outcome.hpp).
struct refusal_details {
  std::optional<duration> retry_after;
  std::string explanation;  // appended to the message
  unsigned status = 0;      // 0: the reason's own
};

/// The reply for a rejection: OpenAI- and Cerebras-shaped body, X-RateLimit-Reason, Retry-After rounded up,
/// retry-after-ms, x-should-retry, and the time in words. Counts the rejection.
local_reply refusal_reply(observe::stats& counts, reason why, const refusal_details& details);

/// Writes a reply, framed for the request. `r` is null if there is no valid request: then the connection will be
/// closed.
task<error_code> send(client_connection& c, const request* r, const local_reply& reply, bool close);

/// Appends the headers that every proxied answer carries (docs/api.md): configured and current limits, queue, breaker.
void append_status_fields(std::string& out, const destination& at, const scope_status& scope);

/// The current time for a Date header (IMF-fixdate, RFC 9110 §5.6.7); valid until the next call.
std::string_view http_date();

/// The standard reason phrase of a status (RFC 9110 §15).
std::string_view reason_phrase(unsigned status);

}  // namespace cooldown::net
