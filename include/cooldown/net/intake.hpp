// Reads one request from a client, strictly and within bounds.
#pragma once

#include <optional>

#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// The result of reading.
struct intake_result {
  enum class what : std::uint8_t {
    ready,    // `r` is complete
    refused,  // send `refusal`, then close the connection
    closed,   // nothing to send: close the connection
  } kind = what::closed;
  local_reply refusal;
};

/// Reads and checks the head, and fills in all of `r` except its body.
task<intake_result> read_head(client_connection& c, request& r);

/// Takes the body if all of it has come with the head, or if there is none. nullopt: read_body() has to follow.
std::optional<intake_result> take_body(client_connection& c, request& r);

/// Reads the body, answering Expect: 100-continue first.
task<intake_result> read_body(client_connection& c, request& r);

}  // namespace cooldown::net
