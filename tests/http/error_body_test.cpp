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

TEST(error_body, an_empty_param_is_null) {
  EXPECT_EQ(
      error_body("m", "t", "", "c"),
      R"({"error":{"message":"m","type":"t","param":null,"code":"c"},"message":"m","type":"t","param":null,"code":"c"})"
      "\n");
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
