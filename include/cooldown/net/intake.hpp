// Reads one request from a client, strictly and within bounds.
#pragma once

#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// What came of it.
struct intake_result {
  enum class what : std::uint8_t {
    ready,    // `r` is complete
    refused,  // `refusal` is to be sent, then the connection closed
    closed,   // nothing to answer: close
  } kind = what::closed;
  local_reply refusal;
};

/// Reads and judges the head, and fills all of `r` but its body.
task<intake_result> read_head(client_connection& c, request& r);

/// Reads the body, answering Expect: 100-continue first.
task<intake_result> read_body(client_connection& c, request& r);

}  // namespace cooldown::net
