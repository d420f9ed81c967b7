// Damaged messages cause no crash and no read beyond the input, and the result does not depend on how they are split.
#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/body_facts.hpp"
#include "cooldown/http/chunked.hpp"
#include "cooldown/http/head.hpp"
#include "cooldown/http/usage_reader.hpp"

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

class mutator {
 public:
  explicit mutator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  std::string mutant(std::string bytes, std::string_view spice) {
    for (auto n = 1 + below(4); n > 0 && !bytes.empty(); --n) {
      auto const at = below(bytes.size());
      switch (below(5)) {
        case 0:
          bytes[at] = spice[below(spice.size())];
          break;
        case 1:
          bytes.insert(at, 1, spice[below(spice.size())]);
          break;
        case 2:
          bytes.erase(at, 1 + below(8));
          break;
        case 3:
          bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(20)));
          break;
        default:
          bytes[at] = static_cast<char>(below(256));
          break;
      }
    }
    return bytes;
  }

 private:
  std::mt19937 random_;
};

constexpr int rounds = 20'000;

void expect_views_into(std::string_view bytes, const std::vector<header_field>& fields) {
  for (auto const& f : fields)
    for (auto const view : {f.name, f.value}) {
      ASSERT_TRUE(std::greater_equal<>()(view.data(), bytes.data()));
      ASSERT_TRUE(std::less_equal<>()(view.data() + view.size(), bytes.data() + bytes.size()));
      ASSERT_EQ(view.find_first_of(std::string_view("\r\n\0", 3)), std::string_view::npos) << printable(bytes);
    }
}

TEST(mutation, of_heads) {
  using namespace std::string_literals;
  std::string const seeds[] = {
      "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 12\r\nConnection: close, "
      "X\r\nX: y\r\n\r\n",
      "POST http://b/x HTTP/1.1\r\nHost: [::1]:8\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.0 503 No\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n"};
  mutator m(1);
  request_head request;
  response_head response;
  for (int i = 0; i < rounds; ++i) {
    exact_copy const bytes(m.mutant(seeds[m.below(std::size(seeds))], "\r\n \t:,;\0/.0123456789%[]@\"\x7f\x80"s));
    auto const view = bytes.view();
    head_scanner whole;
    auto const verdict = whole.scan(view);
    head_scanner pieces;
    auto in_pieces = head_scanner::state::need_more;
    for (std::size_t n = 1; n <= view.size() && in_pieces == head_scanner::state::need_more; ++n)
      in_pieces = pieces.scan(view.substr(0, n));
    ASSERT_EQ(verdict, in_pieces) << printable(view);
    if (verdict == head_scanner::state::complete) {
      ASSERT_EQ(whole.size(), pieces.size()) << printable(view);
    }
    if (!parse_request_head(view, request)) {
      // What the parser takes, the scanner must have found.
      ASSERT_EQ(verdict, head_scanner::state::complete) << printable(view);
      ASSERT_EQ(whole.size(), view.size()) << printable(view);
      expect_views_into(view, request.fields);
    }
    if (!parse_response_head(view, "POST", response)) {
      ASSERT_EQ(verdict, head_scanner::state::complete) << printable(view);
      expect_views_into(view, response.fields);
    }
  }
}

struct decoded {
  chunk_decoder::state what = chunk_decoder::state::need_more;
  std::string body;
};

decoded decode(std::string_view bytes, std::size_t piece) {
  chunk_decoder decoder;
  decoded out;
  for (std::size_t at = 0; at < bytes.size() && out.what == chunk_decoder::state::need_more;) {
    auto const end = std::min(bytes.size(), at + piece);
    do {
      auto const step = decoder.next(bytes.substr(at, end - at));
      out.what = step.what;
      out.body += step.data;
      at += step.consumed;
    } while (out.what == chunk_decoder::state::data);
  }
  return out;
}

TEST(mutation, of_chunked_bodies) {
  using namespace std::string_literals;
  std::string const seed = "5;a=b\r\nhello\r\n0000006 ; q=\"x\\\"y\"\r\n world\r\n0\r\nX-T: v\r\nY: z\r\n\r\nGET /";
  mutator m(2);
  for (int i = 0; i < rounds; ++i) {
    exact_copy const bytes(m.mutant(seed,
                                    "\r\n \t:;=\"\\\0"
                                    "0123456789abcdefxg\x7f\x80"s));
    auto const whole = decode(bytes.view(), bytes.view().size() + 1);
    for (std::size_t const piece : {1u, 2u, 3u, 7u}) {
      auto const cut = decode(bytes.view(), piece);
      ASSERT_EQ(whole.what, cut.what) << printable(bytes.view());
      ASSERT_EQ(whole.body, cut.body) << printable(bytes.view());
    }
  }
}

TEST(mutation, of_request_bodies) {
  using namespace std::string_literals;
  std::string const seed =
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9\n"},{"type":"image_url"}]},)"
      R"({"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}],"tools":[{"a":[1,{"b":null}]}],"prompt":[[1,2],"x"],)"
      R"("n":2,"max_tokens":5,"stream":true,"response_format":{"type":"x"}})";
  mutator m(3);
  for (int i = 0; i < rounds; ++i) {
    auto const text = m.mutant(seed, "{}[]\",:\\0-.etfnu \n\xc3\xa9\xff\0"s);
    // In place, with what the last request may have left behind, and as a copy.
    exact_copy const exact(text + m.mutant(seed, "{}[]\",:"));
    exact_copy const tight(text);
    auto const copied = inspect_body(tight.view(), text.size(), content_coding::identity);
    auto const in_place =
        inspect_body(exact.view().substr(0, text.size()), exact.view().size(), content_coding::identity);
    ASSERT_EQ(copied.parsed, in_place.parsed) << printable(text);
    ASSERT_EQ(copied.input_chars, in_place.input_chars) << printable(text);
    ASSERT_EQ(copied.model, in_place.model) << printable(text);
    ASSERT_LE(copied.input_chars, 8 * text.size() + 8) << printable(text);
  }
}

TEST(mutation, of_answers) {
  using namespace std::string_literals;
  std::string const seed =
      "data: {\"usage\":null}\n\ndata: "
      "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,"
      "\"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\ndata: [DONE]\n\n";
  mutator m(4);
  for (int i = 0; i < rounds; ++i) {
    auto const text = m.mutant(seed, "{}[]\",:\\0-.etfnu \n\xc3\xa9\xff\0"s);
    usage_reader whole;
    whole.feed(exact_copy(text).view());
    usage_reader pieces;
    for (auto const c : text) pieces.feed({&c, 1});
    ASSERT_EQ(whole.finish(), pieces.finish()) << printable(text);
  }
}

}  // namespace
}  // namespace cooldown::http
