#include <algorithm>

#include "cooldown/http/head.hpp"
#include "cooldown/text/ascii.hpp"

#include "framing.hpp"
#include "head_parser.hpp"
#include "syntax.hpp"

namespace cooldown::http {
namespace {

using refusal = std::optional<protocol_error>;

constexpr std::size_t most_method_size = 32;

refusal refuse(unsigned status, const char* reason) {
  return protocol_error{status, reason};
}

/// "HTTP/d.d" with an unsupported version: 505 tells that client more than 400.
bool names_other_version(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}

/// method SP request-target SP HTTP-version (RFC 9112 §3), not yet judged.
refusal take_request_line(std::string_view line, request_head& head) {
  auto const method = line.substr(0, line.find(' '));
  if (!is_token(method)) return refuse(400, "the method is not a token");
  line.remove_prefix(std::min(line.size(), method.size() + 1));
  auto const target = line.substr(0, line.find(' '));
  if (target.empty() || target.size() == line.size()) return refuse(400, "the request target is malformed");
  auto const version = line.substr(target.size() + 1);
  if (!is_known_version(version, head.http11))
    return refuse(names_other_version(version) ? 505 : 400, "the HTTP version is malformed or unknown");
  head.method = method;
  head.target = target;
  return std::nullopt;
}

refusal check_method(std::string_view method) {
  if (method.size() > most_method_size) return refuse(501, "the method is too long to be one");
  // Methods are case-sensitive, but servers behind us may not know that.
  if (iequals(method, "CONNECT")) return refuse(501, "CONNECT is not served here");
  if (iequals(method, "TRACE")) return refuse(405, "TRACE is not served here");
  return std::nullopt;
}

/// "http://authority/path" becomes "/path" (RFC 9112 §3.2.2).
refusal reduce_absolute_form(request_head& head, std::size_t scheme) {
  auto const rest = head.target.substr(scheme);
  auto const authority = rest.substr(0, rest.find_first_of("/?"));
  if (!is_authority(authority)) return refuse(400, "the authority of the request target is malformed");
  auto const path = rest.substr(authority.size());
  // "/?query" does not occur in the input, so no view can represent it; nobody sends this.
  if (path.starts_with('?')) return refuse(400, "the request target has a query but no path");
  head.authority = authority;
  head.target = !path.empty() ? path : head.method == "OPTIONS" ? "*" : "/";
  return std::nullopt;
}

refusal check_target(request_head& head) {
  if (!is_target_text(head.target)) return refuse(400, "the request target holds a character that must be encoded");
  if (head.target.starts_with('/')) return std::nullopt;
  for (std::string_view const scheme : {"http://", "https://"})
    if (istarts_with(head.target, scheme)) return reduce_absolute_form(head, scheme.size());
  if (head.target == "*" && head.method == "OPTIONS") return std::nullopt;
  return refuse(400, "the request target is neither a path nor an http URI");
}

refusal check_host(request_head& head, const field_notes& notes) {
  if (notes.hosts > 1) return refuse(400, "several Host lines");
  if (notes.hosts == 0) return head.http11 ? refuse(400, "no Host") : std::nullopt;
  if (!is_authority(notes.host)) return refuse(400, "Host is malformed");
  if (head.authority.empty()) head.authority = notes.host;
  return std::nullopt;
}

refusal check_framing(request_head& head, const field_notes& notes) {
  using declared = declared_framing::kind;
  auto const framing = declared_framing_of(notes, head.http11);
  switch (framing.how) {
    case declared::nothing:
      head.body = {body_framing::kind::none, 0};
      return std::nullopt;
    case declared::length:
      head.body = {body_framing::kind::length, framing.length};
      return std::nullopt;
    case declared::chunked:
      head.body = {body_framing::kind::chunked, 0};
      return std::nullopt;
    case declared::unknown_coding:
      return refuse(501, framing.reason);
    case declared::bad:
      break;
  }
  return refuse(400, framing.reason);
}

refusal check_expectation(request_head& head, const field_notes& notes) {
  if (notes.expects_else) return refuse(417, "an expectation other than 100-continue");
  // In HTTP/1.0 it must be ignored, and without a body there is nothing to continue with (RFC 9110 §10.1.1).
  bool const has_content = head.body.how == body_framing::kind::chunked || head.body.length > 0;
  head.expect_continue = notes.expects_continue && head.http11 && has_content;
  return std::nullopt;
}

}  // namespace

std::optional<protocol_error> parse_request_head(std::string_view bytes, request_head& head) {
  std::string_view line;
  if (auto const* const reason = next_line(bytes, line)) return refuse(400, reason);
  if (auto e = take_request_line(line, head)) return e;
  field_notes notes;
  if (auto const* const reason = take_fields(bytes, head.fields, notes)) return refuse(400, reason);
  head.authority = {};
  head.keep_alive = notes.is_persistent(head.http11);
  if (auto e = check_method(head.method)) return e;
  if (auto e = check_target(head)) return e;
  if (auto e = check_host(head, notes)) return e;
  if (auto e = check_framing(head, notes)) return e;
  return check_expectation(head, notes);
}

std::optional<std::string_view> request_head::find(std::string_view name) const {
  return find_field(fields, name);
}

}  // namespace cooldown::http
