#include "cooldown/http/error_body.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace cooldown::http {
namespace {

TEST(error_body, carries_both_shapes) {
  EXPECT_EQ(
      error_body("Too many.", "too_many_requests_error", "quota", "request_quota_exceeded"),
      R"({"error":{"message":"Too many.","type":"too_many_requests_error","param":"quota",)"
      R"("code":"request_quota_exceeded"},"message":"Too many.","type":"too_many_requests_error","param":"quota",)"
      R"("code":"request_quota_exceeded"})"
      "\n");
}

TEST(error_body, an_empty_param_is_null_in_the_wrapper_and_a_string_beside_it) {
  EXPECT_EQ(
      error_body("m", "t", "", "c"),
      R"({"error":{"message":"m","type":"t","param":null,"code":"c"},"message":"m","type":"t","param":"","code":"c"})"
      "\n");
}

TEST(answer_as_event, an_error_is_wrapped_once_and_has_its_status) {
  struct {
    const char* body;
    const char* event;
  } const cases[] = {
      {R"({"message":"Model m does not exist","type":"not_found_error","param":"model","code":"model_not_found"})",
       R"({"error":{"message":"Model m does not exist","type":"not_found_error","param":"model",)"
       R"("code":"model_not_found"},"status_code":404})"},
      {R"({"error":{"message":"no","type":"t","param":null,"code":"c"},"message":"no","type":"t","param":"","code":"c"})",
       R"({"error":{"message":"no","type":"t","param":null,"code":"c"},"status_code":404})"},
      {"{\n \"error\": {\"message\": \"two\\nlines\", \"code\": 404},\r\n \"request_id\": \"r\"}\n",
       R"({"error":{"message":"two\nlines","code":404,"type":"provider_error","param":null},"request_id":"r",)"
       R"("status_code":404})"},
      {R"({"error":"Unauthorized"})",
       R"({"error":{"message":"Unauthorized","type":"provider_error","param":null,"code":null},"status_code":404})"},
      {R"({"detail":"Not Found"})",
       R"({"error":{"detail":"Not Found","message":"Not Found","type":"provider_error","param":null,"code":null},)"
       R"("status_code":404})"},
      {R"({"error":null,"message":"m","status_code":1})",
       R"({"error":{"message":"m","type":"provider_error","param":null,"code":null},"status_code":404})"},
  };
  for (auto const& c : cases) EXPECT_EQ(answer_as_event(c.body, 404), c.event) << c.body;
}

TEST(answer_as_event, what_is_no_json_object_becomes_an_error_that_quotes_the_status) {
  for (auto const* body : {"", "<html>Bad\n\nGateway</html>", "\x1f\x8b\x08", "null", "[1]", "7", "{", "{} x",
                           "{\"error\":{\"message\":\"\xff\"}}"}) {
    auto const event = answer_as_event(body, 502);
    simdjson::dom::parser parser;
    simdjson::dom::element parsed;
    ASSERT_EQ(parser.parse(event).get(parsed), simdjson::SUCCESS) << event;
    EXPECT_NE(std::string_view(parsed["error"]["message"]).find("502"), std::string_view::npos) << event;
    EXPECT_EQ(std::uint64_t(parsed["status_code"]), 502U);
    EXPECT_EQ(event.find('\n'), std::string::npos);
  }
}

TEST(answer_as_event, an_error_always_has_a_message) {
  for (auto const* body : {"{}", R"({"error":{}})", R"({"error":[]})", R"({"error":true})", R"({"message":7})",
                           R"({"error":{"message":""}})"}) {
    auto const event = answer_as_event(body, 418);
    simdjson::dom::parser parser;
    simdjson::dom::element parsed;
    ASSERT_EQ(parser.parse(event).get(parsed), simdjson::SUCCESS) << event;
    EXPECT_NE(std::string_view(parsed["error"]["message"]).find("418"), std::string_view::npos) << event;
  }
}

TEST(answer_as_event, an_answer_that_is_no_error_stays_what_it_is) {
  EXPECT_EQ(answer_as_event("{\"choices\": [],\n \"usage\": {\"total_tokens\": 3}}\n", 200),
            R"({"choices":[],"usage":{"total_tokens":3}})");
  EXPECT_EQ(answer_as_event(R"({"error":{"message":"late","type":"t","param":null,"code":429}})", 200),
            R"({"error":{"message":"late","type":"t","param":null,"code":429},"status_code":200})");
  EXPECT_NE(answer_as_event("<html>", 200).find("\"error\""), std::string::npos);
}

TEST(error_body, is_json_whatever_the_text) {
  std::string every_byte;
  for (unsigned c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
  for (std::string const& text :
       {std::string("\"}\r\n\\\x01\t</script>"), std::string("caf\xc3\xa9 \xf0\x9f\x98\x80"), every_byte}) {
    simdjson::dom::parser parser;
    auto const body = error_body(text, text, text, text);
    simdjson::dom::element parsed;
    ASSERT_EQ(parser.parse(body).get(parsed), simdjson::SUCCESS);
    EXPECT_EQ(body.find('\n'), body.size() - 1);
    auto const message = std::string_view(parsed["error"]["message"]);
    EXPECT_EQ(message.size(), text.size());
    EXPECT_EQ(message.substr(0, 5), text.substr(0, 5));
    EXPECT_EQ(message, std::string_view(parsed["code"]));
  }
  EXPECT_NE(error_body("caf\xc3\xa9", "", "", "").find("caf\xc3\xa9"), std::string::npos);
}

}  // namespace
}  // namespace cooldown::http
