// Message heads (RFC 9112 §2 to §6): found, parsed and checked in one step. Pure; no sockets.
//
// The rules are stricter than most parsers', Beast's among them: what two parsers may read differently leads to request
// smuggling (docs/decisions/002). Everything in a head points into the bytes it was parsed from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

struct head_limits {
  std::size_t max_size = 64 * 1024;  // bytes of the whole head
  std::size_t max_fields = 1000;     // field lines
};

/// Why a message was rejected. `status` is what the client gets (400, 414, 431, 501, 505 …; for a response always 502).
struct protocol_error {
  unsigned status = 400;
  const char* reason = "";  // a sentence that contains no text of the peer
};

/// How the end of a body is found (RFC 9112 §6.3).
struct body_framing {
  enum class kind { none, length, chunked, until_close };
  kind how = kind::none;
  std::uint64_t length = 0;  // for kind::length; may be 0
};

/// Finds the end of a head at the front of `bytes` as they arrive. Use one scanner per message and give it all bytes so
/// far. It rejects at once what later bytes cannot correct: bare LF, bare CR, NUL, folded lines, too many or too long
/// lines. Each byte is examined once, however the bytes arrive. An empty first line is an error; callers that tolerate
/// it skip it (RFC 9112 §2.2).
class head_scanner {
 public:
  enum class state { need_more, complete, bad };

  explicit head_scanner(head_limits limits = {}) : limits_(limits) {}

  /// `bytes` starts at the message's first byte each time. After `complete`, size() is the head's length, blank line
  /// included; after `bad`, error() says why, with the status for a request (a response's is 502). Both are final.
  state scan(std::string_view bytes);

  std::size_t size() const { return line_start_; }
  const protocol_error& error() const { return error_; }

 private:
  bool scan_line(std::string_view bytes);
  state fail(unsigned status, const char* reason);

  head_limits limits_;
  state state_ = state::need_more;
  std::size_t line_start_ = 0;  // start of the current line
  std::size_t scanned_ = 0;     // neither a line end nor a control character from there to here
  std::size_t fields_ = 0;
  protocol_error error_;
};

/// The first field of that name, case-insensitively; nullopt when absent.
std::optional<std::string_view> find_field(header_view fields, std::string_view name);

/// A request's head. Reuse one object: the vector's memory is kept.
struct request_head {
  std::string_view method;       // RFC 9110 §9: a token
  std::string_view target;       // origin form, or "*" for OPTIONS; an absolute form has been reduced to it
                                 // (to a static "/" or "*" where it has no path)
  std::string_view authority;    // from Host, or from an absolute-form target, which wins; empty in HTTP/1.0
  bool http11 = true;            // false: HTTP/1.0
  bool keep_alive = true;        // the client wants to keep the connection (RFC 9112 §9.3)
  bool expect_continue = false;  // the client waits for 100 (Continue) (RFC 9110 §10.1.1); never without a body
  body_framing body;
  std::vector<header_field> fields;  // all of them, unchanged

  std::optional<std::string_view> find(std::string_view name) const;
};

/// A response's head.
struct response_head {
  unsigned status = 0;
  std::string_view reason;
  bool http11 = true;
  bool keep_alive = true;  // whether the connection may be used again
  body_framing body;
  std::vector<header_field> fields;

  std::optional<std::string_view> find(std::string_view name) const;
};

/// Parses a complete head (head_scanner's size() bytes) and checks it: at most one Transfer-Encoding line, exactly
/// "chunked", only in 1.1 and never with Content-Length; one Content-Length line of digits; exactly one valid Host in
/// 1.1; origin or absolute form; no CONNECT, no TRACE; only "100-continue" in Expect. nullopt: `head` is valid.
std::optional<protocol_error> parse_request_head(std::string_view bytes, request_head& head);

/// The same for a response to `method` (HEAD has no body, RFC 9112 §6.3; nor have 1xx, 204 and 304). Rejected are both
/// Transfer-Encoding and Content-Length, unknown codings, and several or invalid lengths.
std::optional<protocol_error> parse_response_head(std::string_view bytes, std::string_view method, response_head& head);

}  // namespace cooldown::http
