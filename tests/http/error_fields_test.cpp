#include "cooldown/http/error_fields.hpp"

#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

TEST(ErrorFields, TheShapesOfManyProviders) {
  struct row {
    const char* body;
    const char* message;
    const char* type;
    const char* code;
    const char* wait;
  };
  row const rows[] = {
      {R"({"message":"m","type":"t","param":"","code":"c"})", "m", "t", "c", ""},
      {R"({"error":{"message":"m","type":"t","code":"c"}})", "m", "t", "c", ""},
      {R"({"error":{"message":"m","code":null}})", "m", "", "", ""},
      {R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})", "m", "rate_limit_error", "", ""},
      {R"([{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[
          {"@type":"type.googleapis.com/google.rpc.Help"},
          {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"}]}}])",
       "m", "", "429", "37s"},
      {R"({"status":429,"title":"Too Many Requests"})", "Too Many Requests", "", "", ""},
      {R"({"status":429,"title":"Too Many Requests","detail":"slow down"})", "slow down", "", "", ""},
      {R"({"detail":"Rate limit exceeded"})", "Rate limit exceeded", "", "", ""},
      {R"({"error":"Rate limit reached. You reached 5 requests per minute."})",
       "Rate limit reached. You reached 5 requests per minute.", "", "", ""},
      {R"({"object":"error","message":"m","type":"rate_limited","code":"1300"})", "m", "rate_limited", "1300", ""},
      {R"({"message":"m","retry_after":12.5})", "m", "", "", "12.5"},
      {"[]", "", "", "", ""},
      {"[1]", "", "", "", ""},
      {R"([[{"message":"m"}]])", "", "", "", ""},
      {R"({"error":[{"message":"m"}]})", "m", "", "", ""},
      {R"({"errors":[{"message":"m","code":"c"}]})", "m", "", "c", ""},
      {R"({"detail":{"message":"m","type":"t"}})", "m", "t", "", ""},
      {"429", "", "", "", ""},
      {"Too Many Requests", "", "", "", ""},
      {"", "", "", "", ""},
  };
  for (auto const& r : rows) {
    auto const seen = read_error(r.body);
    EXPECT_EQ(seen.message, r.message) << r.body;
    EXPECT_EQ(seen.type, r.type) << r.body;
    EXPECT_EQ(seen.code, r.code) << r.body;
    EXPECT_EQ(seen.wait, r.wait) << r.body;
  }
}

}  // namespace
}  // namespace cooldown::http
