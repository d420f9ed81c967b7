// Relays a response to the client as it arrives.
#pragma once

#include <string>

#include "cooldown/http/usage_reader.hpp"
#include "cooldown/net/client_connection.hpp"
#include "cooldown/net/request.hpp"
#include "cooldown/net/upstream_connection.hpp"

namespace cooldown::net {

/// How a relayed answer ended.
enum class relay_end : std::uint8_t {
  complete,
  // The client must not see a complete answer:
  upstream_cut,        // the connection ended before the body
  upstream_silent,     // no data for timeouts.idle
  upstream_malformed,  // the framing is invalid
  too_large,           // it had to be read whole, and is larger than largest_whole_body
  client_gone,         // or reads nothing any more
};

/// The result of reading a response head.
struct head_result {
  enum class what : std::uint8_t { ok, broken, unacceptable, timeout, interrupted } kind = what::broken;
  bool first_byte = false;  // at least one byte of an answer arrived
  std::string message;      // for the log
  error_code error;         // of a connection that broke
};

/// Reads the next final response head to `method` into `bytes` and `head` (which points into it). Interim responses are
/// dropped; 101 is an error, because no upgrade was requested. The caller sets the interrupt's deadline.
task<head_result> read_response_head(upstream_connection& u, std::string_view method, std::size_t max_size,
                                     interrupt& ctl, std::string& bytes, http::response_head& head);

/// How the body is framed for the client.
enum class outgoing : std::uint8_t { none, counted, chunked, until_close };

outgoing framing_for(const http::response_head& head, const request& r);

/// Time limits of a relayed body.
struct relay_limits {
  duration idle;     // longest pause of the provider
  duration reading;  // of the client (body_pace.hpp)
};

/// Writes `prefix` (the client's head, may be empty) and relays the body. `usage` may be null.
task<relay_end> relay_body(client_connection& c, upstream_connection& u, const relay_limits& limits,
                           const http::body_framing& in, outgoing out, std::string_view prefix,
                           http::usage_reader* usage);

/// Largest body, in bytes, of an answer that is read whole: one that is inspected, or becomes an event.
constexpr std::size_t largest_whole_body = 256 * 1024;

/// Reads a body of at most `most` bytes into `to`; false when it breaks off or is longer.
task<bool> read_whole_body(upstream_connection& u, const http::body_framing& in, std::size_t most, duration patience,
                           interrupt& ctl, std::string& to);

}  // namespace cooldown::net
