#include "cooldown/http/usage_reader.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

#include "http/pieces.hpp"

namespace cooldown::http {

std::ostream& operator<<(std::ostream& out, const usage& u) {
  return out << "{" << u.prompt_tokens << ", " << u.completion_tokens << ", " << u.total_tokens << ", "
             << u.cached_tokens << "}";
}

namespace {

std::optional<usage> read(std::string_view body, const std::vector<std::size_t>& ends) {
  usage_reader reader;
  std::size_t begin = 0;
  for (auto const end : ends) {
    exact_copy const piece(body.substr(begin, end - begin));
    reader.feed(piece.view());
    begin = end;
  }
  return reader.finish();
}

TEST(usage_reader, counts_tokens_of_bodies_without_usage_rather_too_high) {
  auto const event = [](const std::string& text) {
    return "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\n\n";
  };
  std::string one_by_one, eight_by_eight;
  for (int i = 0; i < 400; ++i) one_by_one += ": comment\n\n" + event(i % 3 == 0 ? " a" : " word");
  for (int i = 0; i < 50; ++i) eight_by_eight += event(i == 0 ? "a" : " the quota is full so it waits on");
  std::string const json = "{\"choices\":[{\"message\":{\"content\":\"" + std::string(1'600, 'x') + "\"}}]}";
  std::string const broken_off = one_by_one.substr(0, one_by_one.size() - 20);
  struct {
    std::string_view body;
    std::uint64_t least, most;
  } const cases[] = {{"", 0, 0},
                     {"data: [DONE]\n\n", 0, 5},
                     {one_by_one, 400, 900},
                     {broken_off, 399, 900},
                     {eight_by_eight, 400, 700},
                     {json, 400, 500}};
  for (auto const& c : cases) {
    for (std::size_t const piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
      usage_reader reader;
      for (std::size_t at = 0; at < c.body.size(); at += piece) reader.feed(c.body.substr(at, piece));
      EXPECT_GE(reader.tokens_so_far(), c.least) << c.body.substr(0, 80);
      EXPECT_LE(reader.tokens_so_far(), c.most) << c.body.substr(0, 80);
    }
  }
}

TEST(usage_reader, passes_over_events_as_if_it_read_them) {
  std::string const delta = "data: {\"choices\":[{\"delta\":{\"content\":\" word\"}}]}\n\n";
  std::string const end = R"(data: {"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})";
  std::string const streams[] = {
      delta + delta + end + "\n\n",
      delta + "data: {\"a\":1,\ndata: \"usage\":{\"total_tokens\":7}}\n\n" + delta,
      delta + "data: {\"a\":\n\n" + delta + end + "\n\n",
      delta + "event: x\n" + delta + ": comment\n\n" + delta + "data:[DONE]\n\n" + end + "\r\n\r\n",
      delta + "data: {\"a\":\"\n" + delta + end + "\n\n",
      "data: 1\n\n\n" + delta + "\n" + delta + end,
      delta + "data: {\"a\":1}\r\n\r\n" + delta + end + "\r\r",
  };
  for (auto const& stream : streams) {
    usage_reader whole;
    whole.feed(stream);
    for (std::size_t const piece : {1U, 2U, 17U, 60U}) {
      usage_reader cut;
      for (std::size_t at = 0; at < stream.size(); at += piece) cut.feed(std::string_view(stream).substr(at, piece));
      EXPECT_EQ(cut.finish(), whole.finish()) << stream;
      EXPECT_EQ(cut.tokens_so_far(), whole.tokens_so_far()) << stream;
    }
  }
}

TEST(usage_reader, finds_usage_wherever_it_stands) {
  std::string const good = R"({"prompt_tokens":1,"completion_tokens":2,"total_tokens":3})";
  constexpr usage as_good{1, 2, 3, 0};
  auto const none = std::optional<usage>{};
  std::string const filler = R"("text":")" + std::string(3 * usage_finder::largest, 'x') + '"';
  auto const crowd = [](std::size_t size) { return R"("x":")" + std::string(size, 'x') + R"(","total_tokens":3)"; };
  struct {
    std::string body;
    std::optional<usage> expected;
  } const cases[] = {
      {"", none},
      {"{}", none},
      {"\"usage\"", none},
      {"\"usage\":", none},
      {"\"usage\":{", none},
      {R"({"id":"x","choices":[],"usage":)" + good + "}", as_good},
      {R"({"usage":)" + good + R"(,"time_info":{"total_time":0.1}})", as_good},
      {"{ \"usage\" \t\r\n : \r\n\t " + good + " }", as_good},
      {"data: {\"choices\":[],\"usage\":" + good + "}\n\ndata: [DONE]\n\n", as_good},
      {"data: {\"usage\":null}\n\ndata: {\"usage\":" + good + "}\n\ndata: {\"usage\":null}\n\ndata: [DONE]\n\n",
       as_good},
      {"data: {\"usage\":{\"total_tokens\":9}}\n\ndata: {\"usage\":" + good + "}\n\n", as_good},
      {R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":{"audio":1,"cached_tokens":4},"completion_tokens":6}})",
       usage{5, 6, 11, 4}},
      {R"({"usage":{"total_tokens":7,"completion_tokens_details":{"cached_tokens":4}}})", usage{0, 0, 7, 0}},
      {R"({"usage":{"prompt_tokens":7,"total_tokens":7}})", usage{7, 0, 7, 0}},
      {R"({"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":6,"total_tokens":11}})",
       usage{5, 6, 11, 2}},
      {R"({"usage":{"prompt_tokens":5,"prompt_tokens_details":null,"completion_tokens":6}})", usage{5, 6, 11, 0}},
      {R"({"usage":{"x":"}{\"","y":[{"z":{}}],"total_tokens":3}})", usage{0, 0, 3, 0}},
      {R"({"usage":{"\u0074otal_tokens":3}})", usage{0, 0, 3, 0}},
      // text that speaks of usage
      {R"({"content":"\"usage\":{\"total_tokens\":9}","usage":)" + good + "}", as_good},
      {R"({"usage":)" + good + R"(,"content":"\"usage\":{\"total_tokens\":9}"})", as_good},
      {R"({"usage":)" + good + R"(,"content":"\\\"usage\\\":{\\\"total_tokens\\\":9}"})", as_good},
      {R"({"usage":)" + good + R"(,"kind":"usage"})", as_good},
      {R"({"usage":)" + good + R"(,"usage":"text","usage":7,"usage":[1]})", as_good},
      {R"({"a\"usage":)" + good + "}", none},
      {R"({"my_usage":)" + good + "}", none},
      {R"({"Usage":)" + good + "}", none},
      // not usable
      {R"({"usage":{}})", none},
      {R"({"usage":{"tokens":1}})", none},
      {R"({"usage":{"total_tokens":-1}})", none},
      {R"({"usage":{"total_tokens":1.5}})", usage{0, 0, 2, 0}},
      {R"({"usage":{"prompt_tokens":12.0,"completion_tokens":1.2e3}})", usage{12, 1200, 1212, 0}},
      {R"({"usage":{"total_tokens":1e400,"prompt_tokens":2}})", usage{2, 0, 2, 0}},
      {R"({"usage":{"total_tokens":"1"}})", none},
      // a line's end inside a word
      {"{\"usa\nge\":" + good + "}", none},
      {"{\"usage\":{\"total_tokens\":1\r\n2}}", none},
      {"data: {\"usa\ndata:ge\":" + good + "}\n\n", none},
      {"data: {\"usage\":{\"total_tokens\":1\n: a comment\ndata:2}}\n\n", none},
      {R"({"usage":{"total_tokens":18446744073709551616}})", none},
      {R"({"usage":{"total_tokens":18446744073709551615}})", none},
      {R"({"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":2}})", usage{0, 2, 2, 0}},
      {R"({"usage":{"total_tokens":1)", none},
      {R"({"usage":{"total_tokens":}})", none},
      {R"({"usage":{"total_tokens" 1}})", none},
      {R"({"usage":{"total_tokens":1,,}})", none},
      {R"({"usage":{"total_tokens":1]}})", none},
      // the intact one before the cut
      {"data: {\"usage\":" + good + "}\n\ndata: {\"usage\":{\"total_tok", as_good},
      // whatever stands behind it, or before
      {R"({"usage":)" + good + "," + filler + "}", as_good},
      {"{" + filler + R"(,"usage":)" + good + "}", as_good},
      {R"({"usage":{)" + crowd(usage_finder::largest - 100) + "}}", usage{0, 0, 3, 0}},
      {R"({"usage":{)" + crowd(usage_finder::largest) + "}}", none},
      // where providers put it, but not where a model may write it
      {R"({"response":{"usage":)" + good + "}}", as_good},
      {R"({"choices":[{"usage":)" + good + "}]}", as_good},
      {R"({"content":[{"input":{"usage":)" + good + "}}]}", none},
      // zeros are no news
      {R"({"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}})", none},
      {"data: {\"usage\":" + good +
           "}\n\ndata: {\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}\n\n",
       as_good},
      {"data: {\"usage\":" + good +
           "}\n\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0,\"total_tokens\":1}}\n\n",
       as_good},
      // counts that come in parts
      {"event: message_start\ndata: "
       "{\"message\":{\"usage\":{\"input_tokens\":9,\"cache_read_input_tokens\":4,\"output_tokens\":1}}}\n\n"
       "event: message_delta\ndata: {\"usage\":{\"output_tokens\":7}}\n\n",
       usage{13, 7, 20, 4}},
      // an event is its lines of data
      {"data: {\"choices\":[],\"usage\":\ndata: " + good + "}\n\ndata: [DONE]\n\n", as_good},
      {"data:{\"usage\":{\"prompt_tokens\":1,\r\nid: 7\r\n: comment\r\ndata:\"completion_tokens\":2}}\r\n\r\n",
       as_good},
      {"data: {\rdata: \"usage\"\rdata: :\rdata: " + good + "\rdata: }\r\r", as_good},
      {"\n: hello\n\ndata: {\"text\":\"a\n\ndata: {\"usage\":" + good + "}\n\n", as_good},
      {"data: {\"usage\":\n\ndata: " + good + "\n\n", none},
  };
  for (auto const& c : cases)
    for (auto const& ends : cuts_of(c.body.size()))
      EXPECT_EQ(read(c.body, ends), c.expected) << printable(c.body) << " in " << ends.size() << " pieces";
}

std::string coded(std::string_view text, int wrapper, std::size_t flush_each = SIZE_MAX) {
  z_stream z{};
  deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, wrapper, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + text.size() + 100, '\0');
  std::string copy(text);
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  for (std::size_t at = 0; at < copy.size();) {
    auto const n = std::min(flush_each, copy.size() - at);
    z.next_in = reinterpret_cast<Bytef*>(copy.data() + at);
    z.avail_in = static_cast<uInt>(n);
    at += n;
    deflate(&z, at == copy.size() ? Z_FINISH : Z_SYNC_FLUSH);
  }
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

constexpr int gzip = MAX_WBITS + 16;
constexpr int zlib = MAX_WBITS;
constexpr int bare = -MAX_WBITS;

TEST(usage_reader, reads_what_is_coded) {
  std::string const json =
      R"({"choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":10,"completion_tokens":5}})";
  std::string const events =
      "data: {\"choices\":[]}\n\ndata: {\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
  auto const half = json.size() / 2;
  for (auto const& body : {coded(json, gzip), coded(json, zlib), coded(json, bare), coded(events, gzip, 20),
                           coded(json.substr(0, half), gzip) + coded(json.substr(half), gzip)})
    for (std::size_t const piece : {std::size_t{1}, std::size_t{7}, std::size_t{1'000}}) {
      usage_reader reader(content_coding::zlib);
      for (std::size_t at = 0; at < body.size(); at += piece) reader.feed(std::string_view(body).substr(at, piece));
      EXPECT_EQ(reader.finish(), (usage{10, 5, 15, 0}));
      EXPECT_GT(reader.tokens_so_far(), 0U);
    }
}

TEST(usage_reader, what_is_not_read_counts_by_its_bytes) {
  usage_reader unknown(content_coding::other);
  unknown.feed("0123456789");
  EXPECT_EQ(unknown.finish(), std::nullopt);
  EXPECT_EQ(unknown.tokens_so_far(), 10U);
  usage_reader broken(content_coding::zlib);
  broken.feed("\x1f\x8b, or not");
  EXPECT_EQ(broken.finish(), std::nullopt);
  EXPECT_GE(broken.tokens_so_far(), 10U);
}

TEST(usage_reader, a_body_that_grows_without_measure_is_given_up) {
  auto const bomb = coded(std::string(64U << 20U, ' '), gzip);
  usage_reader reader(content_coding::zlib);
  reader.feed(bomb);
  EXPECT_LT(reader.tokens_so_far(), 10U << 20U);
  EXPECT_TRUE(inflated(bomb, 1U << 30U).empty());
  EXPECT_TRUE(inflated(coded(std::string(2'000, 'x'), gzip), 1'000).empty());
  EXPECT_EQ(inflated(coded("text", gzip), 1'000), "text");
}

TEST(usage_reader, asked_twice_answers_twice) {
  usage_reader reader;
  EXPECT_EQ(reader.finish(), std::nullopt);
  reader.feed(R"({"usage":{"total_tokens":1}})");
  EXPECT_EQ(reader.finish(), (usage{0, 0, 1, 0}));
  EXPECT_EQ(reader.finish(), (usage{0, 0, 1, 0}));
}

TEST(usage_reader, a_body_made_to_cost_costs_little) {
  for (auto const* text : {"\"usage\":{", "\"usage\":{\"", "\"usage\"", "\"usage\":{\"total_tokens\":x}", "{", "\"",
                           "\\", "\"usage\": "}) {
    usage_reader reader;
    auto const begin = std::chrono::steady_clock::now();
    auto const body = times(200'000, text);
    for (std::size_t i = 0; i < body.size(); i += 7) reader.feed(std::string_view(body).substr(i, 7));
    EXPECT_EQ(reader.finish(), std::nullopt) << text;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2)) << text;
  }
}

}  // namespace
}  // namespace cooldown::http
