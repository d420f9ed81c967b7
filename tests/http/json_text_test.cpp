#include "cooldown/http/json_text.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

TEST(visible, text_that_is_shown_as_itself_stays) {
  for (auto const* text : {"", "a b", "caf\xc3\xa9 \"x\" \\ \xe4\xbd\xa0\xf0\x9f\x98\x80"})
    EXPECT_EQ(visible(text), text);
}

TEST(visible, what_a_terminal_would_obey_is_written_out) {
  struct {
    const char* text;
    const char* shown;
  } const cases[] = {
      {"a\nb", R"(a\u000ab)"},
      {"\x1b[31m", R"(\u001b[31m)"},
      {"\x7f", R"(\u007f)"},
      {"\xc2\x9b"
       "31m",
       R"(\u009b31m)"},
      {"\xc2\x9d", R"(\u009d)"},
      {"\xe2\x80\xa8", R"(\u2028)"},
      {"\xe2\x80\xae", R"(\u202e)"},
      {"\xe2\x81\xa7", R"(\u2067)"},
      {"\xe2\x80\x8f", R"(\u200f)"},
      {"\xef\xbb\xbf", R"(\ufeff)"},
      {"\xf3\xa0\x81\x81", R"(\udb40\udc41)"},
      {"\xff\xc2", "\xef\xbf\xbd\xef\xbf\xbd"},
  };
  for (auto const& c : cases) EXPECT_EQ(visible(c.text), c.shown);
}

TEST(visible_word, has_neither_spaces_nor_quotes) {
  EXPECT_EQ(visible_word("m status=200 \"x\" \\"), R"(m\u0020status=200\u0020\u0022x\u0022\u0020\u005c)");
  EXPECT_EQ(visible_word("a\xc2\xa0\xe3\x80\x80"), R"(a\u00a0\u3000)");
  EXPECT_EQ(visible_word("llama-4/x:free"), "llama-4/x:free");
  EXPECT_EQ(visible_word(""), "-");
}

TEST(json_text, is_visible_and_means_the_same) {
  std::string const text = "a\"\\\n\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x81\x81\xc3\xa9";
  auto const quoted = json_text(text);
  EXPECT_EQ(quoted, visible(quoted));
  EXPECT_EQ(boost::json::parse(quoted).as_string(), text);
}

}  // namespace
}  // namespace cooldown::http
