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

/// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4).
const char* take_status_line(std::string_view line, response_head& head) {
  constexpr std::size_t after_version = 8, after_status = 12;
  if (!is_known_version(line.substr(0, after_version), head.http11)) return "the HTTP version is malformed or unknown";
  if (line.size() <= after_status || line[after_version] != ' ' || line[after_status] != ' ')
    return "the status line is malformed";
  auto const status = parse_u64(line.substr(after_version + 1, 3));
  if (!status) return "the status code is malformed";
  if (*status < 100 || *status > 599) return "the status code is out of range";
  head.status = static_cast<unsigned>(*status);
  head.reason = line.substr(after_status + 1);
  return nullptr;
}

}  // namespace

std::optional<protocol_error> parse_response_head(std::string_view bytes, std::string_view method,
                                                  response_head& head) {
  std::string_view line;
  if (auto const* const reason = next_line(bytes, line)) return refuse(reason);
  if (auto const* const reason = take_status_line(line, head)) return refuse(reason);
  field_notes notes;
  if (auto const* const reason = take_fields(bytes, head.fields, notes)) return refuse(reason);
  head.keep_alive = notes.is_persistent(head.http11);

  // Checked even if no body is allowed: a server that sends such a head may also send a body.
  using declared = declared_framing::kind;
  auto const framing = declared_framing_of(notes, head.http11);
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
