// How an exchange can end without an answer of the provider: whose fault it was, and what the client gets. One table.
#pragma once

#include <cstdint>
#include <string_view>

namespace cooldown {

enum class side : std::uint8_t { client, upstream, internal };

enum class reason : std::uint8_t {
  bad_request,      // the head or the framing is not valid HTTP/1.1
  request_timeout,  // the client did not send its head or body in time
  body_too_large,
  unauthorized,  // no valid token
  wrong_host,    // a Host that may be a rebound name (DNS rebinding)
  cross_site,    // a page of another site sent it
  not_found,
  method_not_allowed,
  loop_detected,                // the request has passed through this proxy before
  request_too_large_for_limit,  // costs more than the provider's whole limit
  queue_full,
  queue_timeout,  // the wait is, or would be, longer than allowed
  circuit_open,
  provider_changed,         // by a reload; the client's own key is for the previous one
  local_failure,            // this machine ran out of something: descriptors, memory, ports
  upstream_unavailable,     // no connection, or it broke before an answer
  upstream_tls_error,       // the certificate was not accepted
  upstream_protocol_error,  // the answer is not valid HTTP
  upstream_timeout,         // no answer within first_byte
  draining,                 // the proxy is shutting down
  internal_error,
};

struct outcome_text {
  reason why;
  side whose;
  unsigned status;
  const char* type;     // OpenAI's error type
  const char* code;     // error.code, X-RateLimit-Reason, and the label of the metric
  const char* message;  // a sentence for people
  bool retry_helps;     // false: x-should-retry: false
};

const outcome_text& text_of(reason why);

}  // namespace cooldown
