#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/head.hpp"

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;
using kind = body_framing::kind;

bool is_accepted(std::string_view bytes, std::string_view method = "POST") {
  exact_copy const copy(bytes);
  response_head head;
  auto const e = parse_response_head(copy.view(), method, head);
  if (e) {
    EXPECT_EQ(e->status, 502u) << printable(bytes);
    EXPECT_STRNE(e->reason, "");
  }
  return !e;
}

response_head parsed(std::string_view bytes, std::string_view method = "POST") {
  response_head head;
  auto const e = parse_response_head(bytes, method, head);
  EXPECT_FALSE(e) << printable(bytes) << ": " << (e ? e->reason : "");
  return head;
}

TEST(response_head, is_split_into_views_of_the_input) {
  std::string const bytes =
      "HTTP/1.1 429 Too Many Requests\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX:\r\nContent-Length: 3\r\n\r\n";
  auto const head = parsed(bytes);
  EXPECT_EQ(head.status, 429u);
  EXPECT_EQ(head.reason, "Too Many Requests");
  EXPECT_TRUE(head.http11);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.body.how, kind::length);
  EXPECT_EQ(head.body.length, 3u);
  ASSERT_EQ(head.fields.size(), 4u);
  EXPECT_EQ(head.fields[0].value, "a=1");
  EXPECT_EQ(head.fields[1].name, "set-cookie");
  EXPECT_EQ(head.find("SET-COOKIE"), "a=1");
  EXPECT_EQ(head.find("x"), "");
  EXPECT_EQ(head.find("y"), std::nullopt);
  EXPECT_GE(head.fields[3].value.data(), bytes.data());
  EXPECT_LE(head.fields[3].value.data() + 1, bytes.data() + bytes.size());
}

TEST(status_line, verdicts) {
  struct {
    std::string line;
    unsigned status;  // 0: refused
    std::string reason = "";
  } const cases[] = {
      {"HTTP/1.1 200 OK", 200, "OK"},
      {"HTTP/1.0 200 OK", 200, "OK"},
      {"HTTP/1.1 299 ", 299, ""},
      {"HTTP/1.1 100 Continue", 100, "Continue"},
      {"HTTP/1.1 599 x", 599, "x"},
      {"HTTP/1.1 200 a\tb caf\xc3\xa9", 200, "a\tb caf\xc3\xa9"},
      {"HTTP/1.1 099 x", 0},
      {"HTTP/1.1 000 x", 0},
      {"HTTP/1.1 600 x", 0},
      {"HTTP/1.1 999 x", 0},
      {"HTTP/1.1 200", 0},
      {"HTTP/1.1 20 OK", 0},
      {"HTTP/1.1 2000 OK", 0},
      {"HTTP/1.1 2x0 OK", 0},
      {"HTTP/1.1 -20 OK", 0},
      {"HTTP/1.1 +20 OK", 0},
      {"HTTP/1.1  200 OK", 0},
      {"HTTP/1.1\t200 OK", 0},
      {"HTTP/1.1 200\tOK", 0},
      {" HTTP/1.1 200 OK", 0},
      {"HTTP/1.2 200 OK", 0},
      {"HTTP/2.0 200 OK", 0},
      {"HTTP/0.9 200 OK", 0},
      {"HTTP/2 200 OK", 0},
      {"http/1.1 200 OK", 0},
      {"ICY 200 OK", 0},
      {"HTTP/1.1 200 O\x01K", 0},
      {"HTTP/1.1 200 O\x7fK", 0},
      {"HTTP/1.1 200 O\0K"s, 0},
      {"HTTP/1.1 200 OK\r", 0},
      {"HTTP/1.1 200 O\rK", 0},
      {"GET / HTTP/1.1", 0},
      {"", 0},
  };
  for (auto const& c : cases) {
    auto const bytes = c.line + "\r\nContent-Length: 0\r\n\r\n";
    EXPECT_EQ(is_accepted(bytes), c.status != 0) << printable(bytes);
    if (c.status == 0) continue;
    auto const head = parsed(bytes);
    EXPECT_EQ(head.status, c.status);
    EXPECT_EQ(head.reason, c.reason);
  }
}

TEST(response_framing, verdicts) {
  constexpr kind none = kind::none, length = kind::length, chunked = kind::chunked, until_close = kind::until_close;
  struct {
    std::string method;
    std::string line;
    std::string fields;
    bool ok;
    kind how = none;
    std::uint64_t size = 0;
    bool keep_alive = false;
  } const cases[] = {
      {"POST", "HTTP/1.1 200", "Content-Length: 7\r\n", true, length, 7, true},
      {"POST", "HTTP/1.1 200", "Content-Length: 0\r\n", true, length, 0, true},
      {"POST", "HTTP/1.1 200", "Content-Length: 007\r\n", true, length, 7, true},
      {"POST", "HTTP/1.1 200", "Content-Length: 99999999999\r\n", true, length, 99'999'999'999,
       true},  // > Beast's limit
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked\r\n", true, chunked, 0, true},
      {"POST", "HTTP/1.1 200", "transfer-encoding:Chunked\r\n", true, chunked, 0, true},
      {"POST", "HTTP/1.1 200", "", true, until_close, 0, false},
      {"POST", "HTTP/1.1 200", "Connection: keep-alive\r\n", true, until_close, 0, false},
      {"POST", "HTTP/1.0 200", "", true, until_close, 0, false},
      {"POST", "HTTP/1.0 200", "Content-Length: 7\r\n", true, length, 7, false},
      {"POST", "HTTP/1.0 200", "Content-Length: 7\r\nConnection: keep-alive\r\n", true, length, 7, true},
      {"POST", "HTTP/1.1 200", "Content-Length: 7\r\nConnection: close\r\n", true, length, 7, false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked\r\nConnection: x, Close\r\n", true, chunked, 0, false},
      {"POST", "HTTP/1.1 500", "", true, until_close, 0, false},
      // without a body by what they are
      {"HEAD", "HTTP/1.1 200", "Content-Length: 7\r\n", true, none, 0, true},
      {"HEAD", "HTTP/1.1 200", "Transfer-Encoding: chunked\r\n", true, none, 0, true},
      {"HEAD", "HTTP/1.1 200", "", true, none, 0, true},
      {"HEAD", "HTTP/1.0 200", "", true, none, 0, false},
      {"head", "HTTP/1.1 200", "Content-Length: 7\r\n", true, length, 7, true},  // another method
      {"POST", "HTTP/1.1 204", "", true, none, 0, true},
      {"POST", "HTTP/1.1 204", "Connection: close\r\n", true, none, 0, false},
      {"POST", "HTTP/1.1 204", "Content-Length: 0\r\n", true, none, 0, true},
      {"POST", "HTTP/1.1 204", "Content-Length: 7\r\n", true, none, 0, false},
      {"POST", "HTTP/1.1 204", "Transfer-Encoding: chunked\r\n", true, none, 0, false},
      {"GET", "HTTP/1.1 304", "Content-Length: 7\r\n", true, none, 0, true},
      {"GET", "HTTP/1.1 304", "Transfer-Encoding: chunked\r\n", true, none, 0, true},
      {"POST", "HTTP/1.1 100", "", true, none, 0, true},
      {"POST", "HTTP/1.1 103", "Link: x\r\n", true, none, 0, true},
      {"POST", "HTTP/1.1 101", "Connection: upgrade\r\nUpgrade: x\r\n", true, none, 0, true},
      {"POST", "HTTP/1.1 100", "Content-Length: 7\r\n", true, none, 0, false},
      {"POST", "HTTP/1.1 205", "Content-Length: 7\r\n", true, length, 7, true},
      // refused
      {"POST", "HTTP/1.1 200", "Content-Length: 7\r\nContent-Length: 7\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: 7\r\nContent-Length: 8\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: 7, 7\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: -7\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: +7\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: x\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length:\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: 18446744073709551623\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: 1000000000000000\r\n", false},
      {"POST", "HTTP/1.1 200", "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: gzip\r\nContent-Length: 7\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: gzip\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: identity\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: gzip, chunked\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked, gzip\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked, chunked\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: xchunked\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding:\r\n", false},
      {"POST", "HTTP/1.1 200", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", false},
      {"POST", "HTTP/1.0 200", "Transfer-Encoding: chunked\r\n", false},
      {"HEAD", "HTTP/1.1 200", "Content-Length: x\r\n", false},
      {"HEAD", "HTTP/1.1 200", "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", false},
      {"POST", "HTTP/1.1 204", "Content-Length: 0\r\nContent-Length: 0\r\n", false},
  };
  for (auto const& c : cases) {
    auto const bytes = c.line + " x\r\n" + c.fields + "\r\n";
    EXPECT_EQ(is_accepted(bytes, c.method), c.ok) << c.method << " " << printable(bytes);
    if (!c.ok) continue;
    auto const head = parsed(bytes, c.method);
    EXPECT_EQ(head.body.how, c.how) << c.method << " " << printable(bytes);
    EXPECT_EQ(head.body.length, c.size) << c.method << " " << printable(bytes);
    EXPECT_EQ(head.keep_alive, c.keep_alive) << c.method << " " << printable(bytes);
  }
}

TEST(response_fields, refuses_what_could_split_a_response) {
  for (auto const& fields :
       {"X : y\r\n"s, ": y\r\n"s, "X: a\r\n b\r\n"s, "X:\r\n a\r\n"s, "X: a\rb\r\n"s, "X: a\nY: b\r\n"s,
        "X: a\x01\r\n"s, "X: a\x7f\r\n"s, "X: a\0b\r\n"s, "nocolon\r\n"s, "X\xc3\xa9: y\r\n"s, " X: y\r\n"s})
    EXPECT_FALSE(is_accepted("HTTP/1.1 200 OK\r\n" + fields + "Content-Length: 0\r\n\r\n")) << printable(fields);
  EXPECT_TRUE(is_accepted("HTTP/1.1 200 OK\r\nX: caf\xc3\xa9\tz\r\nContent-Length: 0\r\n\r\n"));
}

TEST(response_head, must_be_exactly_the_bytes_given) {
  std::string const head = "HTTP/1.1 200 OK\r\nX: yy\r\nContent-Length: 7\r\n\r\n";
  for (std::size_t n = 0; n < head.size(); ++n) EXPECT_FALSE(is_accepted(head.substr(0, n))) << n;
  EXPECT_TRUE(is_accepted(head));
  EXPECT_FALSE(is_accepted(head + "x"));
  EXPECT_FALSE(is_accepted("\r\n" + head));
}

}  // namespace
}  // namespace cooldown::http
