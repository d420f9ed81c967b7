// Which of a text's characters are prose, code, of another script, or base64.
#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/body_facts.hpp"

#include "characters.hpp"

namespace cooldown::http {
namespace {

std::string repeated(const std::string& text, std::size_t least) {
  std::string all;
  while (all.size() < least) all += text;
  return all;
}

TEST(CharacterKinds, ProseIsNoneOfTheOthers) {
  auto const text = repeated("The quick brown fox jumps over the lazy dog, and it does so again. ", 5'000);
  auto const seen = measure_escaped(text);
  EXPECT_EQ(seen.chars, text.size());
  EXPECT_LT(seen.kinds.code, text.size() / 20);
  EXPECT_EQ(seen.kinds.other, 0U);
  EXPECT_EQ(seen.kinds.dense, 0U);
}

TEST(CharacterKinds, CodeAndTablesAreCode) {
  for (std::string const line :
       {"  for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }\\n", "12.50, 17.25, 3.125, 44.0\\n",
        "{\\\"name\\\": \\\"x\\\", \\\"value\\\": [1, 2, 3]}, "}) {
    auto const text = repeated(line, 5'000);
    auto const seen = measure_escaped(text);
    EXPECT_GT(seen.kinds.code, seen.chars * 9 / 10) << line;
    EXPECT_EQ(seen.kinds.dense, 0U) << line;
  }
}

TEST(CharacterKinds, Base64IsDense) {
  auto const text = repeated("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q", 5'000);
  EXPECT_EQ(measure_escaped(text).kinds.dense, text.size());
}

TEST(CharacterKinds, WhatIsBeyondAsciiIsOtherHoweverItIsWritten) {
  EXPECT_EQ(measure_escaped("\xe4\xb8\xad\xe6\x96\x87 ok").kinds.other, 2U);
  EXPECT_EQ(measure_escaped(R"(\u4e2d\u6587 ok)").kinds.other, 2U);
  EXPECT_EQ(measure_escaped(R"(\ud83d\ude00\u00e9\u0041)").kinds.other, 2U);
  auto const json = measure_json("{\"a\":\"\xc3\xa9\"}");
  EXPECT_EQ(json.kinds.other, 1U);
  EXPECT_EQ(json.kinds.code, json.chars - 1);
}

TEST(CharacterKinds, AreNoMoreThanThereAreCharacters) {
  for (std::size_t n : {0U, 1U, 63U, 64U, 65U, 255U, 256U, 319U, 320U, 321U}) {
    for (std::string const unit : {"a", " ", "{", "\xe4\xb8\xad", "\\u", "A1"}) {
      auto const seen = measure_escaped(repeated(unit, n));
      EXPECT_LE(seen.kinds.code + seen.kinds.other + seen.kinds.dense, seen.chars) << n << unit;
    }
  }
}

TEST(CharacterKinds, OfABodyToolsAreCodeAndWhatIsNotParsedIsDense) {
  auto const facts = inspect_body(R"({"messages":[{"role":"user","content":"a\u4e2d"}],"tools":[{"type":"x"}]})", 0,
                                  content_coding::identity);
  EXPECT_EQ(facts.input_kinds.other, 1U);
  EXPECT_EQ(facts.input_kinds.code, 14U);
  EXPECT_EQ(inspect_body("\x1f\x8b....", 0, content_coding::other).input_kinds.dense, 6U);
}

}  // namespace
}  // namespace cooldown::http
