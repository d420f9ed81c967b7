// The bytes of a request's head: scanner, parser and gate.
#include <string>

#include "cooldown/http/fields.hpp"
#include "cooldown/text/ascii.hpp"

#include "head_checks.hpp"

namespace cooldown::fuzz {
namespace {

using http::body_framing;
using http::request_head;

/// As an intermediary would write it: origin form, and the authority that won in Host.
std::string serialised(const request_head& head) {
  std::string out;
  out.append(head.method).append(" ").append(head.target).append(head.http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  if (!head.authority.empty()) http::append_field(out, "Host", head.authority);
  for (auto const& f : head.fields)
    if (!iequals(f.name, "host")) http::append_field(out, f.name, f.value);
  return out += "\r\n";
}

void check_same_meaning(const request_head& head) {
  auto const text = serialised(head);
  request_head again;
  require(!http::parse_request_head(text, again), "an accepted head, written again, is accepted");
  require(again.method == head.method && again.target == head.target, "it asks for the same");
  require(again.authority == head.authority, "of the same host");
  require(again.http11 == head.http11 && again.keep_alive == head.keep_alive, "on the same terms");
  require(again.expect_continue == head.expect_continue, "with the same expectation");
  require(same_framing(again.body, head.body), "with the same body");
  require(same_fields_but_host(again.fields, head.fields), "with the same fields");
}

void check_accepted(const request_head& head) {
  auto const lengths = count_of(head.fields, "content-length");
  auto const codings = count_of(head.fields, "transfer-encoding");
  require(lengths + codings <= 1, "one line at most says where the body ends");
  require((head.body.how == body_framing::kind::length) == (lengths == 1), "Content-Length is a length");
  require((head.body.how == body_framing::kind::chunked) == (codings == 1), "Transfer-Encoding is chunked");
  require(head.body.length < 1'000'000'000'000'000, "a length is within bounds");
  require(head.http11 || codings == 0, "HTTP/1.0 has no transfer coding");
  require(!head.http11 || count_of(head.fields, "host") == 1, "HTTP/1.1 has one Host");
  require(!iequals(head.method, "CONNECT") && !iequals(head.method, "TRACE"), "neither CONNECT nor TRACE");
  require(head.target == "*" || head.target.starts_with('/'), "a target is a path or *");
  require(is_clean(head.target) && head.target.find(' ') == std::string_view::npos, "a target cannot end its line");
  require(is_clean(head.method) && !head.method.empty(), "a method cannot end its line");
  require(is_clean(head.authority), "an authority cannot end its line");

  http::nominations const nominated(head.fields);
  for (auto const& f : head.fields)
    if (nominated.contains(f.name))
      require(!http::is_protected(f.name) && http::is_nominated(head.fields, f.name), "only what may be is nominated");
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto const bytes = copy.view();
  auto const found = scan_in_pieces(bytes);
  request_head head;
  if (auto const e = cooldown::http::parse_request_head(bytes, head)) {
    require(e->status >= 400 && e->status < 600 && *e->reason != '\0', "a refusal has a status and a reason");
  } else {
    require(found == bytes.size(), "what the parser takes, the scanner has found");
    check_fields(head.fields, bytes);
    check_accepted(head);
    check_same_meaning(head);
  }
  // What the session does: the scanner's head alone.
  if (found > 0 && !cooldown::http::parse_request_head(bytes.substr(0, found), head)) check_same_meaning(head);
  return 0;
}
