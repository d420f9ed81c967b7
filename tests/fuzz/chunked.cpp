// Field lines, an empty line, and a body: how both directions find its end, and the chunked coding.
#include "cooldown/http/chunked.hpp"

#include <cstdlib>
#include <string>
#include <utility>

#include "cooldown/text/ascii.hpp"

#include "head_checks.hpp"

namespace cooldown::fuzz {
namespace {

using http::body_framing;
using http::chunk_decoder;
using state = chunk_decoder::state;

struct decoded {
  state what = state::need_more;
  std::string body;
  std::size_t used = 0;
};

decoded decode(std::string_view bytes, bool cut_up) {
  chunk_decoder decoder;
  decoded out;
  cutter cut(bytes);
  for (auto rest = bytes; !rest.empty() && out.what == state::need_more;) {
    exact_copy const piece(cut_up ? cut.next(rest) : std::exchange(rest, {}));
    auto input = piece.view();
    do {
      auto const step = decoder.next(input);
      require(step.consumed <= input.size(), "no more is used than there is");
      require((step.what == state::data) == !step.data.empty(), "data is what is handed out");
      require(step.data.empty() || is_within(step.data, input), "data is a view of the input");
      out.what = step.what;
      out.body += step.data;
      out.used += step.consumed;
      input.remove_prefix(step.consumed);
    } while (out.what == state::data);
    require(out.what != state::need_more || input.empty(), "all input is used while more is needed");
  }
  if (out.what == state::need_more) return out;
  require((out.what == state::bad) == (*decoder.error() != '\0'), "a bad body has a reason");
  auto const after = decoder.next("0\r\n\r\n");
  require(after.what == out.what && after.consumed == 0, "done and bad are final");
  return out;
}

/// The coding in a few lines, for bodies known to be sound.
std::string decode_simply(std::string_view bytes) {
  std::string body;
  for (;;) {
    auto const line = take_until(bytes, "\r\n");
    auto const size = std::strtoull(std::string(line).c_str(), nullptr, 16);
    if (size == 0) break;
    body += bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
  while (!take_until(bytes, "\r\n").empty()) continue;
  require(bytes.empty(), "the body ends where its end is");
  return body;
}

void check_coding(std::string_view bytes) {
  auto const whole = decode(bytes, false);
  auto const pieces = decode(bytes, true);
  require(whole.what == pieces.what && whole.body == pieces.body, "the data does not depend on the pieces");
  require(whole.what != state::done || whole.used == pieces.used, "nor does the end");
  if (whole.what == state::done)
    require(decode_simply(bytes.substr(0, whole.used)) == whole.body, "another decoder finds the same");
}

/// The same fields in a request and in a response must end the body at the same place, or the two sides of a proxy
/// disagree.
void check_framing(std::string_view fields) {
  std::string const lines = fields.empty() ? "\r\n" : std::string(fields) + "\r\n\r\n";
  std::string const asked = "POST / HTTP/1.1\r\nHost: a\r\n" + lines;
  std::string const answered = "HTTP/1.1 200 OK\r\n" + lines;
  http::request_head request;
  http::response_head response;
  auto const refused = http::parse_request_head(asked, request);
  auto const bad = http::parse_response_head(answered, "POST", response);
  if (!refused) {
    require(!bad, "fields that a request may have a response may have");
    auto const in = request.body;
    auto const out = response.body;
    if (in.how == body_framing::kind::none) {
      require(out.how == body_framing::kind::until_close, "no end for one is none for the other");
    } else {
      require(same_framing(in, out), "both find the same end");
    }
  } else if (!bad) {
    require(count_of(response.fields, "host") + count_of(response.fields, "expect") > 0,
            "only a request's own fields tell them apart");
  }
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto body = copy.view();
  auto const fields = take_until(body, "\r\n\r\n");
  check_framing(fields);
  check_coding(body);
  return 0;
}
