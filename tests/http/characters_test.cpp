#include "characters.hpp"

#include <string>

#include <gtest/gtest.h>

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

TEST(characters, of_utf8) {
  struct {
    std::string text;
    std::uint64_t count;
  } const cases[] = {
      {"", 0},
      {"a", 1},
      {"1234567", 7},
      {"12345678", 8},
      {"123456789", 9},
      {"\xc3\xa9", 1},
      {"\xe2\x82\xac", 1},
      {"\xf0\x9f\x98\x80", 1},
      {"a\xc3\xa9"
       "b\xe2\x82\xac"
       "c\xf0\x9f\x98\x80"
       "d",
       7},
      {times(10'000, "\xf0\x9f\x98\x80"), 10'000},  // every lane counts far beyond 255
      {times(10'001, "\xe2\x82\xac"), 10'001},
      {std::string(100'003, 'x'), 100'003},
  };
  for (auto const& c : cases) EXPECT_EQ(count_characters(exact_copy(c.text).view()), c.count) << printable(c.text);
}

TEST(characters, of_json_strings) {
  struct {
    std::string text;
    std::uint64_t count;
  } const cases[] = {
      {"", 0},
      {"abc", 3},
      {R"(a\nb)", 3},
      {R"(\\)", 1},
      {R"(\\n)", 2},
      {R"(\\\n)", 2},
      {R"(\"\/\b\f\n\r\t\\)", 8},
      {R"(\u0041)", 1},
      {R"(\u00e9\u20AC)", 2},
      {R"(\ud83d\ude00)", 1},
      {R"(\uD83D\uDE00x)", 2},
      {R"(\ud83d)", 1},
      {R"(\\u0041)", 6},
      {"\xc3\xa9\\n\xe2\x82\xac", 3},
      // not JSON, and not to wrap around
      {R"(\)", 1},
      {R"(a\)", 2},
      {R"(\u)", 1},
      {R"(\u1)", 2},
      {"\\u\xc3\xa9\xc3\xa9", 0},
  };
  for (auto const& c : cases) EXPECT_EQ(count_escaped_characters(exact_copy(c.text).view()), c.count) << c.text;
}

}  // namespace
}  // namespace cooldown::http
