// The live page of the admin port (web/), and its event stream.
#pragma once

#include "cooldown/net/app.hpp"
#include "cooldown/net/reply.hpp"

namespace cooldown::net {

/// The page or one of its files; nullopt: `path` is neither.
std::optional<local_reply> page_file(std::string_view path);

bool is_page_file(std::string_view path);

/// An event stream (WHATWG HTML §9.2): once a second {"status": as in /status, "history": its new points}, until the
/// client disconnects or the proxy drains. Then the connection is closed. Only for HTTP/1.1 clients, which know chunks.
task<void> stream_events(client_connection& c, app& shared);

}  // namespace cooldown::net
