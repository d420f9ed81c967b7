#include "cooldown/http/head.hpp"
#include "cooldown/text/ascii.hpp"

#include "framing.hpp"
#include "head_parser.hpp"

namespace cooldown::http {
namespace {

protocol_error refuse(const char* reason) {
  return {502, reason};
}

bool has_no_body(unsigned status, std::string_view method) {
  return method == "HEAD" || status < 200 || status == 204 || status == 304;
}

}  // namespace

std::optional<protocol_error> parse_response_head(std::string_view bytes, std::string_view method,
                                                  response_head& head) {
  head_parser<false> parser(head.fields);
  if (auto const* const reason = parser.parse(bytes)) return refuse(reason);
  if (parser.status < 100 || parser.status > 599) return refuse("the status code is out of range");
  head.status = parser.status;
  head.reason = parser.reason;
  head.http11 = parser.http11;
  head.keep_alive = parser.notes.is_persistent(parser.http11);

  // Checked even if no body is allowed: a server that sends such a head may also send a body.
  using declared = declared_framing::kind;
  auto const framing = declared_framing_of(parser.notes, head.http11);
  if (framing.how == declared::bad || framing.how == declared::unknown_coding) return refuse(framing.reason);
  if (has_no_body(head.status, method)) {
    head.body = {body_framing::kind::none, 0};
    // RFC 9112 §6.1 and RFC 9110 §8.6 forbid both here. A body may follow anyway, so the connection is not reused.
    bool const never_has_body = head.status < 200 || head.status == 204;
    if (never_has_body && (framing.how == declared::chunked || framing.length > 0)) head.keep_alive = false;
  } else if (framing.how == declared::chunked) {
    head.body = {body_framing::kind::chunked, 0};
  } else if (framing.how == declared::length) {
    head.body = {body_framing::kind::length, framing.length};
  } else {
    head.body = {body_framing::kind::until_close, 0};
    head.keep_alive = false;
  }
  return std::nullopt;
}

std::optional<std::string_view> response_head::find(std::string_view name) const {
  return find_field(fields, name);
}

}  // namespace cooldown::http
