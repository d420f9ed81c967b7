#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/head.hpp"

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;
using kind = body_framing::kind;

/// The status of the refusal, 0 when it is accepted.
unsigned status_of(std::string_view bytes) {
  exact_copy const copy(bytes);
  request_head head;
  auto const e = parse_request_head(copy.view(), head);
  if (e) {
    EXPECT_STRNE(e->reason, "");
  }
  return e ? e->status : 0;
}

std::string get(const std::string& fields, const std::string& version = "HTTP/1.1") {
  return "GET /x " + version + "\r\nHost: a\r\n" + fields + "\r\n";
}

request_head parsed(std::string_view bytes) {
  request_head head;
  auto const e = parse_request_head(bytes, head);
  EXPECT_FALSE(e) << printable(bytes) << ": " << (e ? e->reason : "");
  return head;
}

TEST(request_head, is_split_into_views_of_the_input) {
  std::string const bytes =
      "POST /v1/chat?a=b%20c HTTP/1.1\r\nhOsT: api.example:8080\r\nX-Multi: a\r\nX-Empty:\r\nX-Blank: \t \r\nX-Ows: \t "
      "v w "
      "\t\r\nX-Multi: b\r\nContent-Length: 5\r\n\r\n";
  auto const head = parsed(bytes);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v1/chat?a=b%20c");
  EXPECT_EQ(head.authority, "api.example:8080");
  EXPECT_TRUE(head.http11);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  EXPECT_EQ(head.body.how, kind::length);
  EXPECT_EQ(head.body.length, 5u);
  header_field const expected[] = {{"hOsT", "api.example:8080"},
                                   {"X-Multi", "a"},
                                   {"X-Empty", ""},
                                   {"X-Blank", ""},
                                   {"X-Ows", "v w"},
                                   {"X-Multi", "b"},
                                   {"Content-Length", "5"}};
  ASSERT_EQ(head.fields.size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(head.fields[i].name, expected[i].name);
    EXPECT_EQ(head.fields[i].value, expected[i].value);
    for (auto const view : {head.fields[i].name, head.fields[i].value}) {
      EXPECT_GE(view.data(), bytes.data());
      EXPECT_LE(view.data() + view.size(), bytes.data() + bytes.size());
    }
  }
  EXPECT_EQ(head.find("x-multi"), "a");
  EXPECT_EQ(head.find("x-empty"), "");
  EXPECT_EQ(head.find("x-absent"), std::nullopt);
}

TEST(request_head, can_be_reused) {
  request_head head;
  std::string const first = "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: y\r\n\r\n";
  EXPECT_FALSE(parse_request_head(first, head));
  std::string const second = "GET / HTTP/1.0\r\n\r\n";
  EXPECT_FALSE(parse_request_head(second, head));
  EXPECT_TRUE(head.fields.empty());
  EXPECT_EQ(head.authority, "");
  EXPECT_FALSE(head.http11);
  std::string const third = "GET / HTTP/1.1\r\nHost: c\r\n\r\n";
  EXPECT_FALSE(parse_request_head(third, head));
  EXPECT_EQ(head.authority, "c");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.body.how, kind::none);
}

TEST(request_head, long_values_are_not_limited_here) {
  auto const bytes = get("X: " + std::string(100'000, 'v') + "\r\n");
  EXPECT_EQ(parsed(bytes).find("x")->size(), 100'000u);
}

TEST(request_line, verdicts) {
  struct {
    std::string line;
    unsigned status;
  } const cases[] = {
      {"GET / HTTP/1.1", 0},
      {"get / HTTP/1.1", 0},  // another method, and not ours to judge
      {"M-SEARCH / HTTP/1.1", 0},
      {"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", 0},
      {std::string(32, 'M') + " / HTTP/1.1", 0},
      {std::string(33, 'M') + " / HTTP/1.1", 501},
      {std::string(100'000, 'M') + " / HTTP/1.1", 501},
      {"CONNECT a:80 HTTP/1.1", 501},
      {"connect a:80 HTTP/1.1", 501},
      {"CONNECT / HTTP/1.1", 501},
      {"TRACE / HTTP/1.1", 405},
      {"Trace / HTTP/1.1", 405},
      {"TRACER / HTTP/1.1", 0},
      {"P@ST / HTTP/1.1", 400},
      {"G=\"<>(e) / HTTP/1.1", 400},
      {"G\xc3\xa9T / HTTP/1.1", 400},
      {" / HTTP/1.1", 400},
      {" GET / HTTP/1.1", 400},
      {"\tGET / HTTP/1.1", 400},
      {"GET\t/ HTTP/1.1", 400},
      {"GET /\tHTTP/1.1", 400},
      {"GET  / HTTP/1.1", 400},
      {"GET /  HTTP/1.1", 400},
      {"GET / HTTP/1.1 ", 400},
      {"GET / HTTP/1.1\t", 400},
      {"GET / HTTP/1.1x", 400},
      {"GET / x HTTP/1.1", 400},
      {"GET HTTP/1.1", 400},
      {"GET  HTTP/1.1", 400},
      {"GET /", 400},
      {"GET / ", 400},
      {"GET", 400},
      {"/", 400},
      {"GET / http/1.1", 400},
      {"GET / HTTP/1", 400},
      {"GET / HTTP/1.", 400},
      {"GET / HTTP/.1", 400},
      {"GET / HTTP/11", 400},
      {"GET / HTTP/1.10", 400},
      {"GET / HTTP/01.1", 400},
      {"GET / HTTP/1,1", 400},
      {"GET / HTTP/+1.1", 400},
      {"GET / HTTPS/1.1", 400},
      {"GET / ICY/1.1", 400},
      {"GET / HTTP /1.1", 400},
      {"GET / HTTP/ 1.1", 400},
      {"GET / HTTP/a.1", 400},
      {"GET / HTTP/1.a", 400},
      {"GET / HTTP/0.9", 505},
      {"GET / HTTP/1.2", 505},
      {"GET / HTTP/2.0", 505},
      {"GET / HTTP/3.0", 505},
      {"GET / HTTP/9.9", 505},
      {"GET /a b HTTP/2.0", 400},
      {"PRI * HTTP/2.0", 505},
  };
  for (auto const& c : cases) EXPECT_EQ(status_of(c.line + "\r\nHost: a\r\n\r\n"), c.status) << printable(c.line);
}

TEST(request_target, verdicts) {
  struct {
    std::string method;
    std::string target;
    unsigned status;
    std::string reduced;
    std::string authority;
  } const cases[] = {
      {"GET", "/", 0, "/", "h"},
      {"GET", "//", 0, "//", "h"},
      {"GET", "//evil.example/x", 0, "//evil.example/x", "h"},
      {"GET", "/a/../b?x=/../y", 0, "/a/../b?x=/../y", "h"},
      {"GET", "/?a=%0d%0aX:%20y%00", 0, "/?a=%0d%0aX:%20y%00", "h"},
      {"GET", "/a:b@c!$&'()*+,;=-._~", 0, "/a:b@c!$&'()*+,;=-._~", "h"},
      {"GET", "/?a={\"b\":[1|2]}^`<>\\", 0, "/?a={\"b\":[1|2]}^`<>\\", "h"},
      {"GET", "/%zz%", 0, "/%zz%", "h"},
      {"GET", "/http://a/", 0, "/http://a/", "h"},
      {"GET", "/" + std::string(20'000, 'a'), 0, "/" + std::string(20'000, 'a'), "h"},
      {"GET", "/a#b", 400, "", ""},
      {"GET", "/#", 400, "", ""},
      {"GET", "#", 400, "", ""},
      {"GET", "/caf\xc3\xa9", 400, "", ""},
      {"GET", "/\x80", 400, "", ""},
      {"GET", "/a\x7f", 400, "", ""},
      {"GET", "/a\x01", 400, "", ""},
      {"GET", "/a\0b"s, 400, "", ""},
      {"GET", "/a\tb", 400, "", ""},
      {"GET", "v1/models", 400, "", ""},
      {"GET", "?a=b", 400, "", ""},
      {"GET", "\\x", 400, "", ""},
      {"GET", "a:80", 400, "", ""},
      {"POST", "127.0.0.1:80", 400, "", ""},
      {"GET", "*", 400, "", ""},
      {"POST", "*", 400, "", ""},
      {"OPTIONS", "*", 0, "*", "h"},
      {"options", "*", 400, "", ""},
      {"OPTIONS", "**", 400, "", ""},
      {"OPTIONS", "*/", 400, "", ""},
      {"OPTIONS", "/x", 0, "/x", "h"},
      {"GET", "http://b/x?y", 0, "/x?y", "b"},
      {"GET", "HTTP://B:8080/x", 0, "/x", "B:8080"},
      {"GET", "https://[::1]:1/x", 0, "/x", "[::1]:1"},
      {"GET", "http://b", 0, "/", "b"},
      {"GET", "http://b/", 0, "/", "b"},
      {"OPTIONS", "http://b", 0, "*", "b"},
      {"OPTIONS", "http://b/", 0, "/", "b"},
      {"GET", "http://b?x", 400, "", ""},
      {"GET", "http://", 400, "", ""},
      {"GET", "http:///x", 400, "", ""},
      {"GET", "http://:80/x", 400, "", ""},
      {"GET", "http://u@b/x", 400, "", ""},
      {"GET", "http://u:p@b/x", 400, "", ""},
      {"GET", "http://b:x/", 400, "", ""},
      {"GET", "http://b:99999/", 400, "", ""},
      {"GET", "http://b\\c/", 400, "", ""},
      {"GET", "http://b#c", 400, "", ""},
      {"GET", "http:/b/x", 400, "", ""},
      {"GET", "http:b", 400, "", ""},
      {"GET", "ftp://b/x", 400, "", ""},
      {"GET", "ws://b/x", 400, "", ""},
      {"GET", "javascript:alert(1)", 400, "", ""},
  };
  for (auto const& c : cases) {
    auto const bytes = c.method + " " + c.target + " HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ(status_of(bytes), c.status) << printable(bytes);
    if (c.status != 0) continue;
    auto const head = parsed(bytes);
    EXPECT_EQ(head.target, c.reduced) << printable(bytes);
    EXPECT_EQ(head.authority, c.authority) << printable(bytes);
  }
}

TEST(request_host, verdicts) {
  struct {
    std::string version;
    std::string fields;
    unsigned status;
    std::string authority;
  } const cases[] = {
      {"HTTP/1.1", "Host: a\r\n", 0, "a"},
      {"HTTP/1.1", "hOST:a:80\r\n", 0, "a:80"},
      {"HTTP/1.1", "", 400, ""},
      {"HTTP/1.1", "X: y\r\n", 400, ""},
      {"HTTP/1.1", "Host: a\r\nHost: b\r\n", 400, ""},
      {"HTTP/1.1", "Host: a\r\nHost: a\r\n", 400, ""},
      {"HTTP/1.1", "Host: a\r\nHOST:\r\n", 400, ""},
      {"HTTP/1.1", "Host:\r\n", 400, ""},
      {"HTTP/1.1", "Host:  \r\n", 400, ""},
      {"HTTP/1.1", "Host: a b\r\n", 400, ""},
      {"HTTP/1.1", "Host: a, b\r\n", 400, ""},
      {"HTTP/1.1", "Host: u@a\r\n", 400, ""},
      {"HTTP/1.1", "Host: a/b\r\n", 400, ""},
      {"HTTP/1.1", "Host: http://a\r\n", 400, ""},
      {"HTTP/1.1", "Host: a:8x\r\n", 400, ""},
      {"HTTP/1.1", "Host: a:65536\r\n", 400, ""},
      {"HTTP/1.1", "Host: \xc3\xa9\r\n", 400, ""},
      {"HTTP/1.0", "", 0, ""},
      {"HTTP/1.0", "Host: a\r\n", 0, "a"},
      {"HTTP/1.0", "Host: a\r\nHost: a\r\n", 400, ""},
      {"HTTP/1.0", "Host: a b\r\n", 400, ""},
      {"HTTP/1.0", "Host:\r\n", 400, ""},
  };
  for (auto const& c : cases) {
    auto const bytes = "GET / " + c.version + "\r\n" + c.fields + "\r\n";
    EXPECT_EQ(status_of(bytes), c.status) << printable(bytes);
    if (c.status == 0) {
      EXPECT_EQ(parsed(bytes).authority, c.authority) << printable(bytes);
    }
  }
}

TEST(request_host, must_be_there_even_beside_an_absolute_target) {
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\n\r\n"), 400u);
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\nHost: b b\r\n\r\n"), 400u);
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: a\r\n\r\n"), 400u);
  auto const bytes = "GET http://a/ HTTP/1.0\r\n\r\n"s;
  EXPECT_EQ(parsed(bytes).authority, "a");
}

TEST(request_fields, verdicts) {
  struct {
    std::string fields;
    unsigned status;
  } const cases[] = {
      {"X: y\r\n", 0},
      {"X:\r\n", 0},
      {"X:y\r\n", 0},
      {"X: \r\n", 0},
      {"X: a:b\r\n", 0},
      {"X: caf\xc3\xa9 \x80\xff\r\n", 0},
      {"!#$%&'*+-.^_`|~09azAZ: y\r\n", 0},
      {"Content_Length: 7\r\n", 0},
      {"X : y\r\n", 400},
      {"X\t: y\r\n", 400},
      {"Content-Length : 4\r\n", 400},
      {"Transfer-Encoding : chunked\r\n", 400},
      {": y\r\n", 400},
      {":\r\n", 400},
      {" X: y\r\n", 400},
      {"no colon\r\n", 400},
      {"nocolon\r\n", 400},
      {"X-\xc3\xa9: y\r\n", 400},
      {"X(y): z\r\n", 400},
      {"\"X\": z\r\n", 400},
      {"X/y: z\r\n", 400},
      {"X: a\r\n b\r\n", 400},
      {"X: a\r\n\tb\r\n", 400},
      {"X:\r\n a\r\n", 400},
      {"X:\r\n \r\n", 400},
      {"X: a\r\n \r\n", 400},
      {"Transfer-Encoding:\r\n chunked\r\n", 400},
      {"X: a\rb\r\n", 400},
      {"X: a\nb: c\r\n", 400},
      {"X: a\x01\r\n", 400},
      {"X: a\x7f\r\n", 400},
      {"X: a\0b\r\n"s, 400},
      {"X\0: b\r\n"s, 400},
      {"X: a\r\r\n", 400},
      {"X: a\n", 400},
  };
  for (auto const& c : cases) EXPECT_EQ(status_of(get(c.fields)), c.status) << printable(c.fields);
}

TEST(request_head, must_be_exactly_the_bytes_given) {
  std::string const head = "GET / HTTP/1.1\r\nHost: a\r\nX: yy\r\n\r\n";
  for (std::size_t n = 0; n < head.size(); ++n) EXPECT_EQ(status_of(head.substr(0, n)), 400u) << n;
  EXPECT_EQ(status_of(head), 0u);
  EXPECT_EQ(status_of(head + "x"), 400u);
  EXPECT_EQ(status_of(head + head), 400u);
  EXPECT_EQ(status_of("\r\n" + head), 400u);
}

constexpr kind none = kind::none;
constexpr kind length = kind::length;
constexpr kind chunked = kind::chunked;

TEST(request_framing, verdicts) {
  struct {
    std::string fields;
    unsigned status;
    kind how;
    std::uint64_t size;
    std::string version = "HTTP/1.1";
  } const cases[] = {
      {"", 0, none, 0},
      {"", 0, none, 0, "HTTP/1.0"},
      // Content-Length
      {"Content-Length: 0\r\n", 0, length, 0},
      {"Content-Length: 7\r\n", 0, length, 7},
      {"content-LENGTH: 7\r\n", 0, length, 7},
      {"Content-Length: 7\r\n", 0, length, 7, "HTTP/1.0"},
      {"Content-Length: \t 7 \t\r\n", 0, length, 7},
      {"Content-Length: 010\r\n", 0, length, 10},
      {"Content-Length: 000000000000007\r\n", 0, length, 7},
      {"Content-Length: 999999999999999\r\n", 0, length, 999'999'999'999'999},
      {"Content-Length: 0000000000000007\r\n", 400, none, 0},
      {"Content-Length: 1000000000000000\r\n", 400, none, 0},
      {"Content-Length: 18446744073709551615\r\n", 400, none, 0},
      {"Content-Length: 18446744073709551616\r\n", 400, none, 0},
      {"Content-Length: 18446744073709551623\r\n", 400, none, 0},
      {"Content-Length: 99999999999999999999999999\r\n", 400, none, 0},
      {"Content-Length:\r\n", 400, none, 0},
      {"Content-Length: \r\n", 400, none, 0},
      {"Content-Length: -1\r\n", 400, none, 0},
      {"Content-Length: -0\r\n", 400, none, 0},
      {"Content-Length: +7\r\n", 400, none, 0},
      {"Content-Length: 0x7\r\n", 400, none, 0},
      {"Content-Length: 7.0\r\n", 400, none, 0},
      {"Content-Length: 7e0\r\n", 400, none, 0},
      {"Content-Length: 1 2\r\n", 400, none, 0},
      {"Content-Length: 1_0\r\n", 400, none, 0},
      {"Content-Length: 7abc\r\n", 400, none, 0},
      {"Content-Length: 7;x=1\r\n", 400, none, 0},
      {"Content-Length: \"7\"\r\n", 400, none, 0},
      {"Content-Length: \x0b"
       "7\r\n",
       400, none, 0},
      {"Content-Length: \xd9\xa3\r\n", 400, none, 0},
      {"Content-Length: 7, 7\r\n", 400, none, 0},
      {"Content-Length: 7,\r\n", 400, none, 0},
      {"Content-Length: ,7\r\n", 400, none, 0},
      {"Content-Length: 7, 8\r\n", 400, none, 0},
      {"Content-Length: 7\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Content-Length: 7\r\nContent-Length: 8\r\n", 400, none, 0},
      {"Content-Length: 7\r\nX: y\r\ncontent-length: 0\r\n", 400, none, 0},
      {"Content-Length: 7\r\nContent-Length:\r\n", 400, none, 0},
      // Transfer-Encoding
      {"Transfer-Encoding: chunked\r\n", 0, chunked, 0},
      {"TRANSFER-encoding:CHUNKED\r\n", 0, chunked, 0},
      {"Transfer-Encoding: \tchunked \r\n", 0, chunked, 0},
      {"Transfer-Encoding: gzip, chunked\r\n", 501, none, 0},
      {"Transfer-Encoding: gzip,chunked\r\n", 501, none, 0},
      {"Transfer-Encoding: a , b , Chunked\r\n", 501, none, 0},
      {"Transfer-Encoding: identity, chunked\r\n", 501, none, 0},
      {"Transfer-Encoding: gzip\r\n", 400, none, 0},
      {"Transfer-Encoding: identity\r\n", 400, none, 0},
      {"Transfer-Encoding: xchunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunkedx\r\n", 400, none, 0},
      {"Transfer-Encoding: chunk\r\n", 400, none, 0},
      {"Transfer-Encoding: x chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked, chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked, gzip\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked, gzip, chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked,\r\n", 400, none, 0},
      {"Transfer-Encoding: , chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: gzip,, chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: gzip;q=1, chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked;q=1\r\n", 400, none, 0},
      {"Transfer-Encoding: \"chunked\"\r\n", 400, none, 0},
      {"Transfer-Encoding: 'chunked'\r\n", 400, none, 0},
      {"Transfer-Encoding:\r\n", 400, none, 0},
      {"Transfer-Encoding: ,\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\x0b\r\n", 400, none, 0},
      {"Transfer-Encoding: \x0b"
       "chunked\r\n",
       400, none, 0},
      {"Transfer-Encoding: chunked\0\r\n"s, 400, none, 0},
      {"Transfer-Encoding: chunk\xc3\xa9"
       "d\r\n",
       400, none, 0},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", 400, none, 0},
      {"Transfer-Encoding: cow, chunked\r\nTransfer-Encoding: cow\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\r\n", 400, none, 0, "HTTP/1.0"},
      {"Transfer-Encoding: gzip, chunked\r\n", 400, none, 0, "HTTP/1.0"},
      {"Transfer-Encoding:\r\n", 400, none, 0, "HTTP/1.0"},
      // both
      {"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400, none, 0},
      {"Transfer-Encoding: gzip\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Transfer-Encoding: gzip, chunked\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Transfer-Encoding: xchunked\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Transfer-Encoding:\r\nContent-Length: 7\r\n", 400, none, 0},
      {"Content-Length: 7\r\nTransfer-Encoding:\r\n", 400, none, 0},
      // not quite those fields
      {"Content_Length: 7\r\n", 0, none, 0},
      {"Transfer_Encoding: chunked\r\n", 0, none, 0},
      {"X-Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", 0, length, 7},
      {"TE: chunked\r\n", 0, none, 0},
  };
  for (auto const& c : cases) {
    auto const bytes = get(c.fields, c.version);
    EXPECT_EQ(status_of(bytes), c.status) << printable(bytes);
    if (c.status != 0) continue;
    auto const head = parsed(bytes);
    EXPECT_EQ(head.body.how, c.how) << printable(bytes);
    EXPECT_EQ(head.body.length, c.size) << printable(bytes);
  }
}

TEST(request_framing, is_the_same_for_every_method) {
  for (std::string const method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "WHATEVER"}) {
    auto const bytes = method + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n";
    EXPECT_EQ(parsed(bytes).body.length, 7u) << method;
  }
}

TEST(request_connection, decides_about_persistence) {
  struct {
    std::string version;
    std::string fields;
    bool keep_alive;
  } const cases[] = {
      {"HTTP/1.1", "", true},
      {"HTTP/1.1", "Connection: close\r\n", false},
      {"HTTP/1.1", "connection: CLOSE\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive\r\n", true},
      {"HTTP/1.1", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.1", "Connection: close, keep-alive\r\n", false},
      {"HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
      {"HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
      {"HTTP/1.1", "Connection: X-Hop , close\r\n", false},
      {"HTTP/1.1", "Connection: closed\r\n", true},
      {"HTTP/1.1", "Connection: x-close\r\n", true},
      {"HTTP/1.1", "Connection:\r\n", true},
      {"HTTP/1.1", "Connection: ,,close,\r\n", false},
      {"HTTP/1.1", "Proxy-Connection: close\r\n", true},
      {"HTTP/1.0", "", false},
      {"HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"HTTP/1.0", "Connection: x\r\nConnection: keep-alive\r\n", true},
      {"HTTP/1.0", "Connection: keep-alive, close\r\n", false},
      {"HTTP/1.0", "Proxy-Connection: keep-alive\r\n", false},
      {"HTTP/1.0", "Keep-Alive: timeout=5\r\n", false},
  };
  for (auto const& c : cases) {
    auto const bytes = get(c.fields, c.version);
    EXPECT_EQ(parsed(bytes).keep_alive, c.keep_alive) << printable(bytes);
  }
}

TEST(request_expectation, verdicts) {
  struct {
    std::string version;
    std::string fields;
    unsigned status;
    bool waits;
  } const cases[] = {
      {"HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 7\r\n", 0, true},
      {"HTTP/1.1", "EXPECT: 100-Continue\r\nTransfer-Encoding: chunked\r\n", 0, true},
      {"HTTP/1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 7\r\n", 0, true},
      {"HTTP/1.1", "Expect: 100-continue\r\n", 0, false},
      {"HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", 0, false},
      {"HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 7\r\n", 0, false},
      {"HTTP/1.1", "Content-Length: 7\r\n", 0, false},
      {"HTTP/1.1", "Expect: 200-maybe\r\n", 417, false},
      {"HTTP/1.1", "Expect: y 100-continue\r\n", 417, false},
      {"HTTP/1.1", "Expect: 100-continue, x\r\n", 417, false},
      {"HTTP/1.1", "Expect: 100-continue;q=1\r\n", 417, false},
      {"HTTP/1.1", "Expect:\r\n", 417, false},
      {"HTTP/1.1", "Expect: 100-continue\r\nExpect: x\r\n", 417, false},
      {"HTTP/1.1", "Expect: x\r\nContent-Length: 7\r\nContent-Length: 7\r\n", 400, false},  // framing first
  };
  for (auto const& c : cases) {
    auto const bytes = get(c.fields, c.version);
    EXPECT_EQ(status_of(bytes), c.status) << printable(bytes);
    if (c.status == 0) {
      EXPECT_EQ(parsed(bytes).expect_continue, c.waits) << printable(bytes);
    }
  }
}

}  // namespace
}  // namespace cooldown::http
