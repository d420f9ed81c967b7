// A request goes out while its answer may come already (RFC 9112 §9.5).
#pragma once

#include <string>
#include <string_view>

#include "cooldown/net/relay.hpp"

namespace cooldown::net {

/// What is to be sent, and what is accepted as the head of its answer.
struct sent_request {
  std::string_view head;
  std::string_view body;
  std::string_view method;
  std::size_t largest_head;  // bytes of the answer's
  duration patience;         // for the head, from the end of sending; and for a pause while it is sent
};

/// Sends the request and reads the head of the answer into `bytes` and `head`, as read_response_head() does. An answer
/// that is no success ends the sending; a success ends it when the provider takes no more. Then, or when something
/// failed, the connection is marked as broken.
task<head_result> send_and_read_head(upstream_connection& u, const sent_request& what, interrupt& ctl,
                                     std::string& bytes, http::response_head& head);

}  // namespace cooldown::net
