// How an exchange can end other than by the upstream's answer: whose doing it was, and what the client is told. One
// table.
#pragma once

#include <cstdint>
#include <string_view>

namespace cooldown {

enum class side : std::uint8_t { client, upstream, internal };

enum class reason : std::uint8_t {
  bad_request,      // the head or the framing is not HTTP/1.1 as we accept it
  request_timeout,  // the client did not send its head or body in time
  body_too_large,
  unauthorized,  // without a token that is asked for
  wrong_host,    // asked by a name that may be somebody else's: DNS rebinding
  cross_site,    // a page of another site sent it
  not_found,
  method_not_allowed,
  loop_detected,                // has passed through this very proxy before
  request_too_large_for_limit,  // costs more than the provider's whole limit
  queue_full,
  queue_timeout,  // would have to wait, or has waited, longer than it may
  circuit_open,
  provider_changed,         // by a reload, and the client's own key is for the one before
  local_failure,            // this machine lacks something: descriptors, memory, ports
  upstream_unavailable,     // no connection, or it broke before an answer
  upstream_tls_error,       // the certificate is not acceptable
  upstream_protocol_error,  // an answer that is not acceptable HTTP
  upstream_timeout,         // no answer within first_byte
  draining,                 // we are shutting down
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
