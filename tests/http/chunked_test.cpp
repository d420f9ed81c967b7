#include "cooldown/http/chunked.hpp"

#include <string>

#include <gtest/gtest.h>

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;
using state = chunk_decoder::state;

struct decoded {
  state what = state::need_more;
  std::string body;
  std::size_t consumed = 0;  // of a body that is not bad
  bool operator==(const decoded&) const = default;
};

std::ostream& operator<<(std::ostream& out, const decoded& d) {
  return out << "{" << static_cast<int>(d.what) << ", \"" << printable(d.body) << "\", " << d.consumed << "}";
}

/// Feeds the pieces as a reader of a socket would: each once, and only what is new.
decoded decode(std::string_view bytes, const std::vector<std::size_t>& ends) {
  chunk_decoder decoder;
  decoded out;
  std::size_t begin = 0;
  for (auto const end : ends) {
    exact_copy const piece(bytes.substr(begin, end - begin));
    auto rest = piece.view();
    begin = end;
    for (;;) {
      auto const step = decoder.next(rest);
      EXPECT_LE(step.consumed, rest.size());
      EXPECT_EQ(step.what == state::data, !step.data.empty());
      if (step.what == state::data) {
        EXPECT_GE(step.data.data(), rest.data());  // in place
        EXPECT_EQ(step.data.data() + step.data.size(), rest.data() + step.consumed);
      }
      out.body += step.data;
      out.what = step.what;
      out.consumed += step.consumed;
      rest.remove_prefix(step.consumed);
      if (step.what != state::data) break;
    }
    if (out.what == state::need_more) {
      EXPECT_TRUE(rest.empty());
    }
    if (out.what == state::done || out.what == state::bad) break;
  }
  if (out.what == state::bad) {
    EXPECT_STRNE(decoder.error(), "");
    out.consumed = 0;
  }
  return out;
}

void expect_decoded(std::string_view bytes, const decoded& expected) {
  for (auto const& ends : cuts_of(bytes.size()))
    EXPECT_EQ(decode(bytes, ends), expected) << printable(bytes) << " in " << ends.size() << " pieces";
}

TEST(chunked, decodes_bodies) {
  struct {
    std::string bytes;
    std::string body;
  } const cases[] = {
      {"0\r\n\r\n", ""},
      {"000\r\n\r\n", ""},
      {std::string(32, '0') + "\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
      {"00000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", "hello"},
      {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"1F\r\n" + std::string(31, 'x') + "\r\n0\r\n\r\n", std::string(31, 'x')},
      {"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"},  // data that looks like an end
      {"3\r\n\0\r\n\r\n0\r\n\r\n"s, "\0\r\n"s},
      {times(500, "1\r\nx\r\n") + "0\r\n\r\n", std::string(500, 'x')},
      {"3e8\r\n" + std::string(1000, 'y') + "\r\n0\r\n\r\n", std::string(1000, 'y')},
  };
  for (auto const& c : cases) {
    expect_decoded(c.bytes, {state::done, c.body, c.bytes.size()});
    // What follows belongs to the next message.
    for (std::string const next : {"GET / HTTP/1.1\r\n", "\r\n", "0\r\n\r\n", "\n"})
      expect_decoded(c.bytes + next, {state::done, c.body, c.bytes.size()});
  }
}

TEST(chunked, decodes_what_it_encodes) {
  for (std::size_t const size : {1U, 15U, 16U, 255U, 70'000U}) {
    std::string const data(size, 'x');
    auto const body = encode_chunk(data) + std::string(last_chunk);
    EXPECT_EQ(decode(body, {body.size()}), (decoded{state::done, data, body.size()})) << size;
  }
}

TEST(chunked, waits_for_what_is_missing) {
  std::string const bytes = "3;a=b;c=\"d\\\"e\"\r\nabc\r\n0 ; x\r\nT: v\r\n\r\n";
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    auto const part = bytes.substr(0, n);
    auto const data = n < 16 ? 0 : std::min<std::size_t>(n - 16, 3);
    expect_decoded(part, {state::need_more, std::string("abc").substr(0, data), n});
  }
  expect_decoded(bytes, {state::done, "abc", bytes.size()});
}

TEST(chunked, an_empty_input_changes_nothing) {
  chunk_decoder decoder;
  for (auto const bytes : {"", "2", "", "\r", "", "\n", ""}) {
    auto const step = decoder.next(bytes);
    EXPECT_EQ(step.what, state::need_more);
    EXPECT_EQ(step.consumed, std::string_view(bytes).size());
  }
  EXPECT_EQ(decoder.next("ab").data, "ab");
}

TEST(chunked, ends_for_good) {
  chunk_decoder done;
  EXPECT_EQ(done.next("0\r\n\r\n").what, state::done);
  EXPECT_EQ(done.next("zzz").what, state::done);
  EXPECT_EQ(done.next("zzz").consumed, 0u);
  chunk_decoder bad;
  EXPECT_EQ(bad.next("x").what, state::bad);
  EXPECT_EQ(bad.next("0\r\n\r\n").what, state::bad);
  EXPECT_EQ(bad.next("0\r\n\r\n").consumed, 0u);
}

TEST(chunked, a_large_chunk_is_one_step) {
  chunk_decoder decoder;
  std::string const data(1 << 20, 'x');
  EXPECT_EQ(decoder.next("300000\r\n").what, state::need_more);
  for (int i = 0; i < 3; ++i) {
    auto const step = decoder.next(data);
    EXPECT_EQ(step.data.data(), data.data());
    EXPECT_EQ(step.data.size(), data.size());
  }
  EXPECT_EQ(decoder.next("\r\n0\r\n\r\n").what, state::done);
}

TEST(chunked, refuses_bad_sizes) {
  for (auto const& bytes : {"\r\n"s,
                            "\n"s,
                            ";x\r\n"s,
                            " 5\r\n"s,
                            "\t5\r\n"s,
                            "-5\r\n"s,
                            "+5\r\n"s,
                            "0x5\r\n"s,
                            "5x\r\n"s,
                            "g\r\n"s,
                            "5_0\r\n"s,
                            "5,\r\n"s,
                            "5.\r\n"s,
                            "5h\r\n"s,
                            "\0"s,
                            "5\0\r\n"s,
                            "5\xc3\xa9"s,
                            "\xd9\xa3"s,
                            "10000000000000005\r\n"s,
                            "ffffffffffffffff\r\n"s,
                            "8000000000000000\r\n"s,
                            "4000000000000001\r\n"s,
                            std::string(33, '0'),
                            std::string(300, '0') + "5"})
    expect_decoded(bytes, {state::bad, "", 0});
  // The largest size is not refused for its size.
  expect_decoded("4000000000000000\r\nab", {state::need_more, "ab", 20});
}

TEST(chunked, refuses_bad_line_ends) {
  struct {
    std::string bytes;
    std::string body;
  } const cases[] = {
      {"5\nhello\r\n0\r\n\r\n", ""},
      {"5\rhello\r\n0\r\n\r\n", ""},
      {"5\r\rhello", ""},
      {"5\r\r\nhello", ""},
      {"5;\nhello\r\n", ""},
      {"5;a\nhello\r\n", ""},
      {"5;a=b\nhello\r\n", ""},
      {"5;a=\"b\"\nhello\r\n", ""},
      {"5;a\rhello\r\n", ""},
      {"5\r\nhello\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r0\r\n\r\n", "hello"},
      {"5\r\nhelloXX0\r\n\r\n", "hello"},
      {"5\r\nhello\rX", "hello"},
      {"5\r\nhello0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n\r\n", "hello"},
      {"5\r\nhello\r\n0\n\r\n", "hello"},
      {"5\r\nhello\r\n0\r\n\n", "hello"},
      {"5\r\nhello\r\n0\r\n\rX", "hello"},
      {"5\r\nhello\r\n0\r\n\r\r", "hello"},
      {"5\r\nhello\r\n0\r\n0\r\n\r\n", "hello"},  // a second last-chunk is no trailer
  };
  for (auto const& c : cases) expect_decoded(c.bytes, {state::bad, c.body, 0});
}

TEST(chunked, drops_extensions) {
  for (auto const& extension : {";a"s,
                                ";a=b"s,
                                ";a=b;c"s,
                                ";a=\"\""s,
                                ";a=\"b c\""s,
                                ";a=\"b\tc\""s,
                                ";a=\"b\\\"c\\\\\""s,
                                ";a=\"caf\xc3\xa9\""s,
                                ";a=\";x=y\""s,
                                ";a=\"0 1\""s,
                                ";!#$%&'*+-.^_`|~09azAZ=0"s,
                                " ;a"s,
                                "\t; \ta"s,
                                "; a = b ; c"s,
                                ";a ; b"s,
                                ";a =b"s,
                                ";a= b"s,
                                ";a = \"b\" ; c"s,
                                ";a;b;c;d=e"s,
                                ";0=1"s,
                                ";a=\"\\\t\""s}) {
    expect_decoded("3" + extension + "\r\nabc\r\n0" + extension + "\r\n\r\n",
                   {state::done, "abc", 14 + 2 * extension.size() - 1});
  }
}

TEST(chunked, refuses_bad_extensions) {
  for (auto const& extension : {";"s,
                                " "s,
                                "\t"s,
                                "; "s,
                                ";;a"s,
                                ";a;"s,
                                ";a; "s,
                                ";a "s,
                                ";a=b "s,
                                ";a=\"b\" "s,
                                ";=b"s,
                                ";a="s,
                                ";a= "s,
                                ";a=;b"s,
                                ";a==b"s,
                                ";a=b=c"s,
                                ";a=b c"s,
                                ";a b"s,
                                ";a=\"b"s,
                                ";a=\"b\"c"s,
                                ";a=\"b\"\"c\""s,
                                ";a=b\"c\""s,
                                ";\"a\""s,
                                ";a,b"s,
                                ";a=(b)"s,
                                ";a/b"s,
                                ";\0"s,
                                ";a\0"s,
                                ";a=\0"s,
                                ";a=\"\0\""s,
                                ";a=\"\x01\""s,
                                ";a=\"\x7f\""s,
                                ";a=\"\\\x01\""s,
                                ";\x7f"s,
                                ";a=\"\r\n\""s,
                                ";a=\"\n\""s,
                                ";a=\"\r\""s,
                                ";a=\"\\\r\n\""s,
                                ";a=\"\\\n\""s,
                                ";caf\xc3\xa9"s,
                                ";a=caf\xc3\xa9"s,
                                " a"s,
                                "\v;a"s,
                                ";a=\"b\\\""s})
    expect_decoded("3" + extension + "\r\nabc\r\n0\r\n\r\n", {state::bad, "", 0});
}

TEST(chunked, bounds_extensions) {
  auto const chunk = [](std::size_t n) { return "1;" + std::string(n - 1, 'a') + "\r\nx\r\n"; };
  auto const most = chunk_decoder::max_extension;
  expect_decoded(chunk(most) + "0\r\n\r\n", {state::done, "x", most + 11});
  expect_decoded(chunk(most + 1) + "0\r\n\r\n", {state::bad, "", 0});
  auto const fit = chunk_decoder::max_extensions / most;
  expect_decoded(times(fit, chunk(most)) + "0\r\n\r\n", {state::done, std::string(fit, 'x'), fit * (most + 6) + 5});
  expect_decoded(times(fit, chunk(most)) + "1;a\r\nx\r\n", {state::bad, std::string(fit, 'x'), 0});
  expect_decoded(times(fit, chunk(most)) + "0;a\r\n\r\n", {state::bad, std::string(fit, 'x'), 0});
}

TEST(chunked, drops_trailers) {
  for (auto const& trailers :
       {"X-Trailer: yes\r\n"s, "X:\r\n"s, "X:\ty \r\n"s, "X: caf\xc3\xa9\r\n"s, "a: b\r\nc: d\r\n"s, "X: a:b\r\n"s,
        "Content-Length: 3\r\nTransfer-Encoding: gzip\r\nHost: evil\r\nAuthorization: Bearer evil\r\n"s})
    expect_decoded("1\r\nx\r\n0\r\n" + trailers + "\r\n", {state::done, "x", 11 + trailers.size()});
}

TEST(chunked, refuses_bad_trailers) {
  for (auto const& trailers :
       {"nocolon\r\n"s, "X : y\r\n"s, ": y\r\n"s, " X: y\r\n"s, "X: y\r\n z\r\n"s, "X: y\r\n\tz\r\n"s,
        "X: a\nY: b\r\n"s, "X: a\rb\r\n"s, "X: a\r\r\n"s, "X: \0\r\n"s, "X: \x01\r\n"s, "X: \x7f\r\n"s, "X\0: y\r\n"s,
        "caf\xc3\xa9: y\r\n"s, "X\r\n"s, "X\n"s, "\n"s, "GET / HTTP/1.1\r\n"s, "\"X\": y\r\n"s})
    expect_decoded("1\r\nx\r\n0\r\n" + trailers + "\r\n", {state::bad, "x", 0});
}

TEST(chunked, bounds_trailers) {
  auto const most = chunk_decoder::max_trailers;
  // The section's end is counted as well, but for its last byte.
  auto const section = [](std::size_t n) { return "T:" + std::string(n - 4, 'v') + "\r\n"; };
  expect_decoded("0\r\n" + section(most - 1) + "\r\n", {state::done, "", most + 4});
  expect_decoded("0\r\n" + section(most) + "\r\n", {state::bad, "", 0});
  expect_decoded("0\r\n" + times(most, "X: y\r\n"), {state::bad, "", 0});
}

}  // namespace
}  // namespace cooldown::http
