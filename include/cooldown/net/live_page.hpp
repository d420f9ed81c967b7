// The live page of the admin port (web/), and the stream of events that it draws.
#pragma once

#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// The page or one of its files; nullopt: `path` is none.
std::optional<local_reply> page_file(std::string_view path);

bool is_page_file(std::string_view path);

/// An event stream (WHATWG HTML §9.2): once a second {"status": as /status, "history": what is new of it}, until the
/// client leaves or the proxy drains. The connection ends with it. For clients that know chunks: HTTP/1.1.
task<void> stream_events(client_connection& c);

}  // namespace cooldown::net
