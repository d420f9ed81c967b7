#include "cooldown/http/body_facts.hpp"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;

/// With the bytes copied by the reader, and read in place before hostile spare bytes: both must agree.
body_facts facts_of(std::string_view body) {
  exact_copy const tight(body);
  auto const copied = inspect_body(tight.view(), body.size(), content_coding::identity);
  for (std::string_view const behind : {",", "}", "]", "\"", "x", ","}) {
    auto const roomy = std::string(body) + times(64, behind);
    exact_copy const exact(roomy);
    auto const in_place = inspect_body(exact.view().substr(0, body.size()), roomy.size(), content_coding::identity);
    EXPECT_EQ(copied.parsed, in_place.parsed) << printable(body);
    EXPECT_EQ(copied.model, in_place.model) << printable(body);
    EXPECT_EQ(copied.input_chars, in_place.input_chars) << printable(body);
    EXPECT_EQ(copied.max_output_tokens, in_place.max_output_tokens) << printable(body);
  }
  return copied;
}

TEST(body_facts, of_a_chat_request) {
  auto const f = facts_of(R"({
    "model": "llama-4", "stream": true, "n": 3, "user": "me", "max_completion_tokens": 77, "max_tokens": 5, "temperature": 0.5,
    "messages": [
      {"role": "system", "content": "12345"},
      {"role": "user", "content": [{"type": "text", "text": "caf\u00e9 \ud83d\ude00"}, {"type": "image_url", "image_url": {"url": "data:xxxx"}}]},
      {"role": "assistant", "content": null, "reasoning_content": "123", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "name": "ignored", "content": "ok"}
    ]})");
  EXPECT_TRUE(f.parsed);
  EXPECT_TRUE(f.stream);
  EXPECT_EQ(f.model, "llama-4");
  EXPECT_EQ(f.user, "me");
  EXPECT_EQ(f.choices, 3u);
  EXPECT_EQ(f.images, 1u);
  EXPECT_EQ(f.max_output_tokens, 77u);
  EXPECT_EQ(f.input_chars, 5u + 6u + 3u + 4u + 7u + 2u);
}

TEST(body_facts, text_is_counted_in_characters) {
  struct {
    std::string body;
    std::uint64_t chars;
    std::uint64_t images = 0;
  } const cases[] = {
      {R"({})", 0},
      {R"({"messages":[]})", 0},
      {R"({"messages":[{"content":""}]})", 0},
      {R"({"messages":[{"content":"abc"}]})", 3},
      {R"({"messages":[{"content":"a\nb"}]})", 3},
      {R"({"messages":[{"content":"\u20ac"}]})", 1},
      {"{\"messages\":[{\"content\":\"\xe2\x82\xac\"}]}", 1},
      {R"({"messages":[{"content":"\ud83d"}]})", 1},  // half a pair: Python's json sends it
      {R"({"messages":[{"content":"abc" }]})", 3},
      {"{\"messages\":[{\"content\":\"abc\"  \n }]}", 3},
      {R"({"messages":[{"content":null},{"content":7},{"content":true},{"role":"user"}]})", 4},
      {R"({"messages":[{"content":["ab","c"]}]})", 3},
      {R"({"messages":[{"content":[{"type":"text","text":"ab"},{"text":"c","type":"input_text"}]}]})", 3},
      {R"({"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}},{"image_url":"x","type":"input_image"},{"type":"image","source":{"data":"y"}}]}]})",
       0, 3},
      {R"({"messages":[{"content":[{"type":"refusal","refusal":"no"}]}]})", 2},
      {R"({"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"xxxx"}}]}]})", 0},
      {R"({"messages":[{"content":[{"type":"tool_result","content":[{"type":"text","text":"abc"}]}]}]})", 3},
      {R"({"messages":[{"name":"abc","role":"user","content":"d"}]})", 1},
      {R"({"messages":[{"function_call":{"name":"ab","arguments":"cde"}}]})", 5},
      {R"({"messages":[{"tool_calls":[{"type":"custom","custom":{"name":"ab","input":"cde"}},{"function":{"arguments":"f"}}]}]})",
       6},
      {R"({"messages":[{"tool_calls":[]},{"tool_calls":null},{"tool_calls":"x"}]})", 1},
      {R"({"messages":"abc"})", 3},
      {R"({"messages":{"content":"abc"}})", 3},
      {R"({"messages":[[["abc"]]]})", 3},
      {R"({"prompt":"abc"})", 3},
      {R"({"prompt":["abc","de"]})", 5},
      {R"({"prompt":[1,2,3]})", 12},
      {R"({"prompt":[[1,2],[3]]})", 12},
      {R"({"prompt":[]})", 0},
      {R"({"prompt":"ab","suffix":"c"})", 3},
      {R"({"input":"abc"})", 3},
      {R"({"input":["abc","d"]})", 4},
      {R"({"input":[[1,2],[3,4]]})", 16},
      {R"({"input":[{"role":"user","content":[{"type":"input_text","text":"abc"},{"type":"input_image","image_url":"x"}]}],"instructions":"de"})",
       5, 1},
      {R"({"input":[{"type":"function_call","name":"x","arguments":"ab"},{"type":"function_call_output","output":"cde"}]})",
       5},
      {R"({"system":"abc","messages":[{"content":"d"}]})", 4},
      {R"({"tools":[{"a":1}]})", 9},
      {R"({"functions":[{}],"response_format":{"type":"json_object"}})", 4 + 22},
      {R"({"tools":null,"response_format":"x"})", 0},
      {"{\"tools\":[\"\xc3\xa9\"]}", 5},
      {R"({"metadata":{"content":"x"},"stop":["y"],"logit_bias":{"1":2}})", 0},
  };
  for (auto const& c : cases) {
    auto const f = facts_of(c.body);
    EXPECT_TRUE(f.parsed) << c.body;
    EXPECT_EQ(f.input_chars, c.chars) << c.body;
    EXPECT_EQ(f.images, c.images) << c.body;
  }
}

TEST(body_facts, of_the_wrong_type_are_ignored) {
  struct {
    std::string body;
    std::optional<std::uint64_t> most;
    std::uint64_t choices = 1;
    bool stream = false;
    std::string model = "";
  } const cases[] = {
      {R"({"max_tokens":5})", 5},
      {R"({"max_tokens":0})", 0},
      {R"({"max_tokens":5,"max_completion_tokens":6})", 6},
      {R"({"max_completion_tokens":6,"max_tokens":5})", 6},
      {R"({"max_output_tokens":7,"max_tokens":5})", 7},
      {R"({"max_completion_tokens":null,"max_tokens":5})", 5},
      {R"({"max_completion_tokens":-1,"max_tokens":5})", 5},
      {R"({"max_tokens":-1})", std::nullopt},
      {R"({"max_tokens":5.0})", 5},
      {R"({"max_tokens":1e3})", 1000},
      {R"({"max_tokens":"5"})", std::nullopt},
      {R"({"max_tokens":[5]})", std::nullopt},
      {R"({"max_tokens":{"a":5}})", std::nullopt},
      {R"({"max_tokens":18446744073709551615})", UINT64_MAX},
      {R"({"max_tokens":18446744073709551616})", std::nullopt},
      {R"({"max_tokens":99999999999999999999999999999999999999})", std::nullopt},
      {R"({"n":0})", std::nullopt, 1},
      {R"({"n":-2})", std::nullopt, 1},
      {R"({"n":-2.5})", std::nullopt, 1},
      {R"({"n":null})", std::nullopt, 1},
      {R"({"n":4})", std::nullopt, 4},
      {R"({"stream":false})", std::nullopt, 1, false},
      {R"({"stream":"true"})", std::nullopt, 1, false},
      {R"({"stream":1})", std::nullopt, 1, false},
      {R"({"stream":null})", std::nullopt, 1, false},
      {R"({"stream":true})", std::nullopt, 1, true},
      {R"({"stream_options":{"stream":true}})", std::nullopt, 1, false},
      {R"({"model":7})", std::nullopt},
      {R"({"model":null})", std::nullopt},
      {R"({"model":["x"]})", std::nullopt},
      {R"({"model":{"model":"x"}})", std::nullopt},
      {R"({"model":"\ud83d"})", std::nullopt},
      {R"({"model":"a\"b\u0041"})", std::nullopt, 1, false, "a\"bA"},
      {R"({"mod\u0065l":"x"})", std::nullopt, 1, false, "x"},
      {R"({"Model":"x"})", std::nullopt},
      {R"({"\ud83d":"x","model":"y"})", std::nullopt, 1, false, "y"},
  };
  for (auto const& c : cases) {
    auto const f = facts_of(c.body);
    EXPECT_TRUE(f.parsed) << c.body;
    EXPECT_EQ(f.max_output_tokens, c.most) << c.body;
    EXPECT_EQ(f.choices, c.choices) << c.body;
    EXPECT_EQ(f.stream, c.stream) << c.body;
    EXPECT_EQ(f.model, c.model) << c.body;
  }
}

TEST(body_facts, of_a_repeated_key_the_last_counts) {
  auto const f = facts_of(
      R"({"model":"a","messages":[{"content":"12345"}],"stream":true,"n":5,"max_tokens":9,
          "messages":[{"content":"123456789","content":"ab"}],"model":"b","stream":false,"n":2,"max_tokens":null})");
  EXPECT_TRUE(f.parsed);
  EXPECT_EQ(f.model, "b");
  EXPECT_TRUE(f.model_repeated);
  EXPECT_FALSE(facts_of(R"({"model":"a"})").model_repeated);
  EXPECT_FALSE(f.stream);
  EXPECT_EQ(f.choices, 2u);
  EXPECT_EQ(f.max_output_tokens, std::nullopt);
  EXPECT_EQ(f.input_chars, 2u);
}

TEST(body_facts, long_names_are_cut_at_a_character) {
  auto const name = std::string(255, 'm') + "\xc3\xa9" + "tail";
  auto const f = facts_of("{\"model\":\"" + name + "\",\"user\":\"" + std::string(1000, 'u') + "\"}");
  EXPECT_EQ(f.model, std::string(255, 'm'));
  EXPECT_EQ(f.user, std::string(256, 'u'));
}

TEST(body_facts, what_is_not_an_object_is_only_measured) {
  for (std::string const body : {"",
                                 " ",
                                 "x",
                                 "null",
                                 "7",
                                 "\"model\"",
                                 "[]",
                                 "[{\"model\":\"x\"}]",
                                 "{",
                                 "{\"model\"",
                                 "{\"model\":",
                                 "{\"model\":\"x\"",
                                 "{\"model\":\"x}",
                                 "{\"model\":}",
                                 "{\"model\" \"x\"}",
                                 "{model:\"x\"}",
                                 "{\"model\":\"x\",}",
                                 "{\"a\":[1}",
                                 "{\"a\":[[}",
                                 "{\"messages\":[{\"content\":\"x\"]}",
                                 "{\"messages\":[}",
                                 "{\"messages\":[,]}",
                                 "{\"messages\":[{]}",
                                 "{\"tools\":[}",
                                 "{\"tools\":[{}",
                                 "{\"tools\":}",
                                 "{\"prompt\":[1,}",
                                 "{\"prompt\":[1 2]}",
                                 "{:}",
                                 "{,}",
                                 "{]",
                                 "}",
                                 "]",
                                 "{\"a\":1]",
                                 "{\"model\":\"a\nb\"}",
                                 "\x1f\x8b\x08\x01}",
                                 "{\"a\":\"}"}) {
    auto const f = facts_of(body);
    EXPECT_FALSE(f.parsed) << printable(body);
    EXPECT_EQ(f.input_chars, body.size()) << printable(body);
    EXPECT_EQ(f.model, "") << printable(body);
    EXPECT_EQ(f.choices, 1u) << printable(body);
  }
}

// Whether the rest of it is JSON is the upstream's to say; what is not read costs no time here.
TEST(body_facts, values_not_read_are_not_checked) {
  for (std::string const body :
       {"{\"a\":[1},\"model\":\"x\"}", "{\"a\":nope,\"model\":\"x\"}", "{\"tools\":{],\"model\":\"x\"}"}) {
    EXPECT_TRUE(facts_of(body).parsed) << body;
    EXPECT_EQ(facts_of(body).model, "x") << body;
  }
}

std::string wide(std::string_view text, std::size_t size, bool big_endian, std::string mark = {}) {
  for (char const c : text)
    for (std::size_t i = 0; i < size; ++i) mark += i == (big_endian ? size - 1 : 0) ? c : '\0';
  return mark;
}

// Servers differ in what they take for JSON; what one of them may read counts for the model that it reads there.
TEST(body_facts, are_read_as_servers_read_that_are_not_strict) {
  std::string const plain = R"({"model":"x","user":"u","messages":[{"content":"abc"}],"max_tokens":7})";
  for (auto const& body :
       {"\xef\xbb\xbf" + plain, wide(plain, 2, false), wide(plain, 2, true), wide(plain, 4, false),
        wide(plain, 4, true), wide(plain, 2, false, "\xff\xfe"), wide(plain, 2, true, "\xfe\xff"),
        wide(plain, 4, false, std::string("\xff\xfe\0\0", 4)), wide(plain, 4, true, std::string("\0\0\xfe\xff", 4)),
        "{\"temperature\":NaN,\"b\":[-Infinity,Infinity]," + plain.substr(1), plain + "}", plain + "{}", plain + " x\"",
        "{\"a\":\"NaN \\\" Infinity \xff\"," + plain.substr(1)}) {
    auto const f = facts_of(body);
    EXPECT_TRUE(f.parsed) << printable(body);
    EXPECT_EQ(f.model, "x") << printable(body);
    EXPECT_EQ(f.user, "u");
    EXPECT_EQ(f.input_chars, 3U) << printable(body);
    EXPECT_EQ(f.max_output_tokens, 7U);
  }
  EXPECT_EQ(facts_of("{\"model\":\"\xff\"}").model, "\xef\xbf\xbd");
  EXPECT_EQ(facts_of(wide(R"({"model":")", 2, true) + std::string("\xd8\x3d\xde\x00\x4e\x2d", 6) + wide("\"}", 2, true))
                .model,
            "\xf0\x9f\x98\x80\xe4\xb8\xad");
}

TEST(body_facts, of_message_pack) {
  std::string const body =
      "\x85\xa5model\xd9\x01x\xa6stream\xc3\xaamax_tokens\xcd\x01\x00\xa8messages\x91\x82\xa4role\xa4user\xa7"
      "content\xa3"
      "abc\xa1"
      "b\x96\xc0\xff\xd1\xff\x00\xca\x3f\x80\x00\x00\xc4\x02zz\xd4\x01z"s;
  auto const f = facts_of(body);
  EXPECT_TRUE(f.parsed);
  EXPECT_EQ(f.model, "x");
  EXPECT_TRUE(f.stream);
  EXPECT_EQ(f.max_output_tokens, 256U);
  EXPECT_EQ(f.input_chars, 3U);
  for (std::size_t n = 0; n < body.size(); ++n) EXPECT_FALSE(facts_of(body.substr(0, n)).parsed) << n;
  EXPECT_FALSE(facts_of("\xdf\xff\xff\xff\xff").parsed);
  EXPECT_FALSE(facts_of("\x81\xa1x" + times(100'000, "\x91")).parsed);
}

TEST(body_facts, of_message_pack_with_a_key_that_holds_keys_are_not_read) {
  auto const keys_within_keys = [](std::size_t levels) { return times(levels, "\x81") + times(levels + 1, "\x01"); };
  EXPECT_TRUE(facts_of(keys_within_keys(1)).parsed);
  EXPECT_FALSE(facts_of(keys_within_keys(2)).parsed);
  EXPECT_FALSE(facts_of(keys_within_keys(40)).parsed);
}

TEST(body_facts, of_message_pack_full_of_the_largest_numbers) {
  auto const numbers = times(120'000, "\xcb\x7f\xef\xff\xff\xff\xff\xff\xff");
  auto const f = facts_of("\x82\xa1x\xdd\x00\x01\xd4\xc0"s + numbers + "\xa5model\xa1m");
  EXPECT_TRUE(f.parsed);
  EXPECT_EQ(f.model, "m");
}

TEST(body_facts, a_maximum_is_a_number_however_it_is_written) {
  EXPECT_EQ(facts_of(R"({"max_tokens":100.0})").max_output_tokens, 100U);
  EXPECT_EQ(facts_of(R"({"max_tokens":1e2})").max_output_tokens, 100U);
  EXPECT_EQ(facts_of(R"({"max_tokens":-1})").max_output_tokens, std::nullopt);
}

TEST(body_facts, of_an_unknown_coding_are_not_looked_for) {
  std::string const body = R"({"model":"x","prompt":"abc"})";
  auto const f = inspect_body(body, body.capacity(), content_coding::other);
  EXPECT_FALSE(f.parsed);
  EXPECT_EQ(f.model, "");
  EXPECT_EQ(f.input_chars, body.size());
}

TEST(body_facts, deep_nesting_is_harmless) {
  for (std::size_t const depth : {10u, 2'000u, 200'000u}) {
    auto const nested = times(depth, "[") + "\"x\"" + times(depth, "]");
    for (auto const* key : {"messages", "prompt", "metadata", "tools", "model", "stream", "n"}) {
      auto const f = facts_of("{\"" + std::string(key) + "\":" + nested + ",\"user\":\"u\"}");
      EXPECT_TRUE(f.parsed) << key << depth;
      EXPECT_EQ(f.user, "u") << key << depth;
    }
    auto const objects = times(depth, "{\"content\":") + "\"x\"" + times(depth, "}");
    EXPECT_TRUE(facts_of("{\"messages\":[" + objects + "]}").parsed);
    EXPECT_FALSE(facts_of("{\"messages\":" + times(depth, "[")).parsed);
    EXPECT_FALSE(facts_of("{\"messages\":" + times(depth, "{\"content\":") + "}").parsed);
  }
}

TEST(body_facts, a_megabyte_takes_milliseconds) {
  auto const message = "{\"role\":\"user\",\"content\":\"" + times(1'000, "some code\\n\\tand \\\"text\\\" ") + "\"}";
  auto const body = "{\"model\":\"x\",\"messages\":[" + message + times(40, "," + message) + "]}";
  auto const begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(inspect_body(body, body.size(), content_coding::identity).parsed);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(body_facts, a_small_body_after_a_huge_one) {
  std::string const huge = "{\"prompt\":\"" + std::string(8u << 20u, 'x') + "\"}";
  EXPECT_EQ(inspect_body(huge, huge.capacity(), content_coding::identity).input_chars, 8u << 20u);
  EXPECT_EQ(facts_of(R"({"prompt":"abc"})").input_chars, 3u);
}

}  // namespace
}  // namespace cooldown::http
