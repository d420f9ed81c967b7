// The model's name in a body is replaced, and nothing else.
#include "cooldown/http/model_name.hpp"

#include <gtest/gtest.h>

using cooldown::http::with_model;

TEST(ModelName, OnlyItsBytesChange) {
  for (std::string const body : {R"({"model":"a"})", R"(  { "x" : {"model":"a"}, "model" : "a" , "n": 1.50 }  )",
                                 R"({"messages":[{"content":"\"model\":\"a\""}],"model":"a"})"}) {
    auto expected = body;
    expected.replace(body.rfind("\"a\""), 3, "\"o/a\"");
    EXPECT_EQ(with_model(body, body.size(), "o/a"), expected);
  }
}

TEST(ModelName, ItIsFoundHoweverItIsWritten) {
  EXPECT_EQ(with_model(R"({"\u006dodel":"\u0061"})", 0, "b"), R"({"\u006dodel":"b"})");
  EXPECT_EQ(with_model(R"({"model":"a","model":"c"})", 0, "b"), R"({"model":"b","model":"b"})")
      << "whichever of them counts there";
}

TEST(ModelName, TheNewOneIsEscaped) {
  EXPECT_EQ(with_model(R"({"model":"a"})", 0, "q\"\\"), R"({"model":"q\"\\"})");
}

TEST(ModelName, WhatCannotBeReadIsLeftAlone) {
  for (auto const* const body :
       {"", "[]", R"({"model":1})", R"({"prompt":"a"})", R"({"model":"a")", R"({"model":"a"} x)", "\x1f\x8b",
        "\x81\xa5model\xa1"
        "a"})
    EXPECT_FALSE(with_model(body, 0, "b")) << body;
}
