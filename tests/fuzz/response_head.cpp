// The bytes of a response's head, read as the answer to GET, HEAD and POST.
#include <string>

#include "cooldown/http/fields.hpp"

#include "head_checks.hpp"

namespace cooldown::fuzz {
namespace {

using http::body_framing;
using http::response_head;

std::string serialised(const response_head& head) {
  std::string out = head.http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  out.append(std::to_string(head.status)).append(" ").append(head.reason).append("\r\n");
  for (auto const& f : head.fields) http::append_field(out, f.name, f.value);
  return out += "\r\n";
}

void check_same_meaning(const response_head& head, std::string_view method) {
  auto const text = serialised(head);
  response_head again;
  require(!http::parse_response_head(text, method, again), "an accepted head, written again, is accepted");
  require(again.status == head.status && again.reason == head.reason, "it says the same");
  require(again.http11 == head.http11 && again.keep_alive == head.keep_alive, "on the same terms");
  require(same_framing(again.body, head.body), "with the same body");
  require(same_fields_but_host(again.fields, head.fields), "with the same fields");
}

void check_accepted(const response_head& head, std::string_view method) {
  require(head.status >= 100 && head.status <= 599, "a status is within bounds");
  require(is_clean(head.reason), "a reason phrase cannot end its line");
  auto const lengths = count_of(head.fields, "content-length");
  auto const codings = count_of(head.fields, "transfer-encoding");
  require(lengths + codings <= 1, "one line at most says where the body ends");
  require(head.body.length < 1'000'000'000'000'000, "a length is within bounds");
  bool const bodiless = method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304;
  require(bodiless == (head.body.how == body_framing::kind::none), "a body is where one can be");
  if (bodiless) return;
  require((head.body.how == body_framing::kind::length) == (lengths == 1), "Content-Length is a length");
  require((head.body.how == body_framing::kind::chunked) == (codings == 1), "Transfer-Encoding is chunked");
  require(head.body.how != body_framing::kind::until_close || !head.keep_alive, "the end of the stream ends it");
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto const bytes = copy.view();
  auto const found = scan_in_pieces(bytes);
  response_head head;
  for (std::string_view const method : {"GET", "HEAD", "POST"}) {
    if (auto const e = cooldown::http::parse_response_head(bytes, method, head)) {
      require(e->status == 502 && *e->reason != '\0', "a refusal has its status and a reason");
      continue;
    }
    require(found == bytes.size(), "what the parser takes, the scanner has found");
    check_fields(head.fields, bytes);
    check_accepted(head, method);
    check_same_meaning(head, method);
  }
  return 0;
}
