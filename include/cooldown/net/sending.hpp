// Sends a request whose answer may arrive before everything is sent (RFC 9112 §9.5).
#pragma once

#include <string>
#include <string_view>

#include "cooldown/net/relay.hpp"

namespace cooldown::net {

/// The request, and the limits for the head of its answer.
struct sent_request {
  std::string_view head;
  std::string_view body;
  std::string_view method;
  std::size_t largest_head;  // bytes of the answer's head
  duration patience;         // for the head, after sending; and for pauses while sending
};

/// Sends the request and reads the head of the answer into `bytes` and `head`, as read_response_head() does. An error
/// status ends the sending; a success ends it if the provider reads no more. If not everything was sent, or something
/// failed, the connection is marked as broken.
task<head_result> send_and_read_head(upstream_connection& u, const sent_request& what, interrupt& ctl,
                                     std::string& bytes, http::response_head& head);

}  // namespace cooldown::net
