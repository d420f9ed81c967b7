// A request's body.
#include "cooldown/http/body_facts.hpp"

#include <string>

#include <boost/json.hpp>

#include "fuzz.hpp"

namespace cooldown::fuzz {
namespace {

using http::body_facts;
namespace json = boost::json;

bool same(const body_facts& a, const body_facts& b) {
  return a.parsed == b.parsed && a.stream == b.stream && a.model == b.model && a.user == b.user &&
         a.input_chars == b.input_chars && a.images == b.images && a.choices == b.choices &&
         a.max_output_tokens == b.max_output_tokens;
}

void check_bounds(const body_facts& f, std::string_view body) {
  require(f.model.size() <= 256 && f.user.size() <= 256, "names are cut");
  // A token number is worth four characters and may be one; a byte of MessagePack becomes six of JSON, or seven.
  require(f.input_chars <= 8 * body.size(), "no more text than the body can hold");
  require(f.images <= body.size(), "no more images than the body can hold");
  require(f.choices >= 1, "one choice at least");
  if (f.parsed) return;
  require(f.input_chars == body.size(), "what is not JSON counts by its size");
  require(!f.stream && f.model.empty() && f.user.empty() && !f.max_output_tokens, "and has no other facts");
}

/// What another, stricter parser takes for an object, with what it found there.
void check_against_other_parser(const body_facts& f, std::string_view body) {
  json::error_code ec;
  auto const value = json::parse(json::string_view(body.data(), body.size()), ec);
  if (ec || !value.is_object()) return;
  auto const& object = value.get_object();
  require(f.parsed, "a JSON object is read");
  auto const* const stream = object.if_contains("stream");
  require(f.stream == (stream != nullptr && stream->is_bool() && stream->get_bool()), "stream is what it says");
  auto const* const model = object.if_contains("model");
  bool const named = model != nullptr && model->is_string();
  std::string_view const name = named ? std::string_view(model->get_string().data(), model->get_string().size()) : "";
  require(name.size() > 256 ? name.starts_with(f.model) : name == f.model, "model is what it says");
}

/// Neither MessagePack nor UTF-16 nor a byte order mark: white space may stand before it.
bool is_plain_text(std::string_view body) {
  return !body.empty() && static_cast<unsigned char>(body.front()) < 0x80 && body.find('\0') == std::string_view::npos;
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  using cooldown::http::inspect_body;
  exact_copy const tight(view_of(data, size));
  auto const body = tight.view();
  auto const facts = inspect_body(body, body.size(), cooldown::http::content_coding::identity);
  check_bounds(facts, body);
  check_against_other_parser(facts, body);

  // In place, with what an earlier request may have left behind it.
  std::string const leftovers = "\"model\":\"other\"}}]],\"max_tokens\":9,\"stream\":true}}}}}}}}}}}}}}}}}}}}}}";
  exact_copy const roomy(std::string(body) + leftovers);
  require(same(facts, inspect_body(roomy.view().substr(0, size), roomy.view().size(),
                                   cooldown::http::content_coding::identity)),
          "bytes behind the body are none of it");
  auto const coded = inspect_body(body, body.size(), cooldown::http::content_coding::other);
  require(!coded.parsed && coded.input_chars == size, "a coded body is not looked into");
  if (facts.parsed && is_plain_text(body)) {
    std::string const spaced = " \r\n" + std::string(body) + "\t\n ";
    require(same(facts, inspect_body(spaced, spaced.size(), cooldown::http::content_coding::identity)),
            "white space around the body changes nothing");
  }
  return 0;
}
