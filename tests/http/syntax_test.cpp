#include "syntax.hpp"

#include <string>

#include <gtest/gtest.h>

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;

TEST(syntax, token_characters) {
  std::string const others = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    auto const ch = static_cast<char>(c);
    bool const expected = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c != 0 && others.find(ch) != std::string::npos);
    EXPECT_EQ(is_token_char(ch), expected) << c;
  }
  EXPECT_FALSE(is_token(""));
  EXPECT_TRUE(is_token("a"));
  EXPECT_FALSE(is_token("a b"));
}

TEST(syntax, authorities) {
  for (auto const& good : {"a"s,
                           "A"s,
                           "api.example.com"s,
                           "a."s,
                           "localhost:0"s,
                           "a:80"s,
                           "a:65535"s,
                           "a:00080"s,
                           "a:"s,
                           "127.0.0.1"s,
                           "127.0.0.1:8080"s,
                           "999.1.1.1"s,
                           "[::1]"s,
                           "[::1]:80"s,
                           "[::]"s,
                           "[2001:db8::1]:443"s,
                           "[::ffff:1.2.3.4]"s,
                           "[1:2:3:4:5:6:7:8]"s,
                           "a_b-c~d"s,
                           "x!$&'()*+,;="s,
                           "caf%C3%a9"s,
                           "[::1]:"s})
    EXPECT_TRUE(is_authority(exact_copy(good).view())) << good;
  for (auto const& bad : {""s,
                          ":"s,
                          ":80"s,
                          "a b"s,
                          " a"s,
                          "a "s,
                          "u@a"s,
                          "u:p@a"s,
                          "a/b"s,
                          "a?b"s,
                          "a#b"s,
                          "a\\b"s,
                          "a\"b"s,
                          "a<b"s,
                          "a|b"s,
                          "a{b"s,
                          "a^b"s,
                          "a`b"s,
                          "a\tb"s,
                          "a\0b"s,
                          "\xc3\xa9"s,
                          "a%"s,
                          "a%4"s,
                          "a%zz"s,
                          "a%4g"s,
                          "a:x"s,
                          "a:8x"s,
                          "a:-1"s,
                          "a:+1"s,
                          "a: 80"s,
                          "a:65536"s,
                          "a:99999"s,
                          "a:000080"s,
                          "a:80:80"s,
                          "::1"s,
                          "[]"s,
                          "["s,
                          "]"s,
                          "[::1"s,
                          "::1]"s,
                          "[::1]80"s,
                          "[::1]:x"s,
                          "[::1]:65536"s,
                          "[::1]]"s,
                          "[[::1]]"s,
                          "[::1]a"s,
                          "a[::1]"s,
                          "[a]"s,
                          "[1.2.3.4]"s,
                          "[::1%25eth0]"s,
                          "[::1%eth0]"s,
                          "[v1.x]"s,
                          "[1:2:3:4:5:6:7]"s,
                          "[1:2:3:4:5:6:7:8:9]"s,
                          "[::1::]"s,
                          "[:::]"s,
                          "[12345::]"s,
                          "[::1\0]"s,
                          "[ ::1]"s,
                          "[" + std::string(100, ':') + "]"})
    EXPECT_FALSE(is_authority(exact_copy(bad).view())) << printable(bad);
}

TEST(syntax, target_characters) {
  for (unsigned c = 0; c < 256; ++c)
    EXPECT_EQ(is_target_text("/" + std::string(1, static_cast<char>(c))), c > 0x20 && c < 0x7f && c != '#') << c;
}

}  // namespace
}  // namespace cooldown::http
