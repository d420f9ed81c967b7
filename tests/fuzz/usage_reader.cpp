// An answer's body, JSON or SSE.
#include "cooldown/http/usage_reader.hpp"

#include <string>

#include "fuzz.hpp"

namespace cooldown::fuzz {
namespace {

using http::usage;
using http::usage_reader;

/// `lead` comes in one piece: only around the body do the cuts matter.
std::optional<usage> in_pieces(std::string_view body, std::string_view lead = {}) {
  usage_reader reader;
  reader.feed(lead);
  cutter cut(body);
  while (!body.empty()) {
    exact_copy const piece(cut.next(body));
    reader.feed(piece.view());
  }
  return reader.finish();
}

std::optional<usage> at_once(std::string_view body) {
  usage_reader reader;
  reader.feed(body);
  return reader.finish();
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto const body = copy.view();
  auto const found = at_once(body);
  require(found == in_pieces(body), "the usage does not depend on the pieces");
  if (found) require(body.find("\"usage\"") != std::string_view::npos, "usage is read where it stands");

  static const std::string lead(1'000, '\n');
  require(in_pieces(body, lead) == found, "lines before do not matter");

  // Whatever the model wrote before it, the last event counts.
  std::string const ended =
      std::string(body) +
      "\n\ndata: {\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}\n\ndata: [DONE]\n\n";
  auto const last = in_pieces(ended);
  require(last && last->prompt_tokens == 7 && last->completion_tokens == 5 && last->total_tokens == 12,
          "the last usage counts");

  // A coded body, whatever it is: no more of it is read than it may grow to.
  for (auto const coding : {cooldown::http::content_coding::zlib, cooldown::http::content_coding::other}) {
    usage_reader reader(coding);
    reader.feed(body);
    reader.finish();
    require(reader.tokens_so_far() <= 256 * 1024 + 101 * size, "it grows within bounds");
  }
  return 0;
}
