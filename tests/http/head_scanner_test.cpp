#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "cooldown/http/head.hpp"

#include "http/pieces.hpp"

namespace cooldown::http {
namespace {

using namespace std::string_literals;
using state = head_scanner::state;

struct verdict {
  state what = state::need_more;
  unsigned status = 0;   // for bad
  std::size_t size = 0;  // for complete
  bool operator==(const verdict&) const = default;
};

std::ostream& operator<<(std::ostream& out, const verdict& v) {
  return out << "{" << static_cast<int>(v.what) << ", " << v.status << ", " << v.size << "}";
}

verdict verdict_of(const head_scanner& scanner, state what) {
  if (what == state::bad) {
    EXPECT_STRNE(scanner.error().reason, "");
    return {what, scanner.error().status, 0};
  }
  return {what, 0, what == state::complete ? scanner.size() : 0};
}

/// Gives the scanner all bytes so far, again and again, until it has decided.
verdict scan_in_pieces(std::string_view bytes, head_limits limits, const std::vector<std::size_t>& ends) {
  head_scanner scanner(limits);
  auto what = state::need_more;
  for (auto const end : ends) {
    exact_copy const so_far(bytes.substr(0, end));
    what = scanner.scan(so_far.view());
    if (what != state::need_more) break;
  }
  return verdict_of(scanner, what);
}

void expect_verdict(std::string_view bytes, head_limits limits, const verdict& expected) {
  for (auto const& ends : cuts_of(bytes.size()))
    EXPECT_EQ(scan_in_pieces(bytes, limits, ends), expected)
        << printable(bytes) << " in " << ends.size() << " pieces, the first of " << (ends.empty() ? 0 : ends.front());
}

constexpr verdict incomplete{state::need_more, 0, 0};
constexpr verdict bad_400{state::bad, 400, 0};

TEST(head_scanner, finds_the_end_and_nothing_behind_it) {
  struct {
    std::string head;
    std::string behind;
  } const cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", ""},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\n\r\0\x01 body bytes are nobody's business"s},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "\n"},
      {"HTTP/1.1 200 \r\n\r\n", ""},
      {"x\r\n\r\n", ""},
      {"GET /\tx HTTP/1.1\r\nX:\ta\tb\t\r\n\r\n", ""},              // HTAB is for the parser
      {"GET / HTTP/1.1\r\nX: caf\xc3\xa9 \x80\xff\r\n\r\n", ""},    // obs-text is no control character
      {"GET / HTTP/1.1\r\n: no name\r\nno colon\r\n\r\n", ""},      // nor is it the scanner's to know a field
      {"GET / HTTP/1.1\r\nX: 12345678123456781234567\r\n\r\n", ""}  // longer than one step
  };
  for (auto const& c : cases) expect_verdict(c.head + c.behind, {}, {state::complete, 0, c.head.size()});
}

TEST(head_scanner, waits_for_what_is_missing) {
  std::string const head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t n = 0; n < head.size(); ++n) expect_verdict(head.substr(0, n), {}, incomplete);
}

TEST(head_scanner, refuses_what_no_later_byte_can_mend) {
  std::string const cases[] = {
      "\r\n",  // whoever tolerates it has skipped it
      "\n",
      "\r\r",
      "\0"s,
      "\x16\x03\x01\x02",  // a TLS ClientHello
      "GET / HTTP/1.1\n",
      "GET / HTTP/1.1\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\n",
      "GET / HTTP/1.1\r\nHost: a\r\n\n",
      "GET / HTTP/1.1\r\n\n",
      "GET / HTTP/1.1\r\r\n",
      "GET / HTTP/1.1\rHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nX: a\rX-Inj: b\r\n\r\n",
      "GET / HTTP/1.1\r\nX: a\r\r\n\r\n",
      "GET / HTTP/1.1\r\n\rX: b\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\r",
      "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"s,
      "GET /\0 HTTP/1.1\r\n"s,
      "GET / HTTP/1.1\r\nContent-Length\0: 4\r\n"s,
      "GET / HTTP/1.1\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
      "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n\r\n",
      "GET / HTTP/1.1\r\nX:\r\n \r\n\r\n",
      "GET / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
  };
  for (auto const& c : cases) expect_verdict(c, {}, bad_400);
}

TEST(head_scanner, refuses_every_control_character_but_tab_at_every_place) {
  for (unsigned c = 0; c < 256; ++c) {
    bool const is_control = (c < 0x20 && c != '\t') || c == 0x7f;
    for (std::size_t offset = 0; offset < 18; ++offset) {
      auto bytes = "GET / HTTP/1.1\r\nX: "s + std::string(17, 'v');
      bytes.insert(bytes.size() - offset, 1, static_cast<char>(c));
      bytes += "w\r\n\r\n";
      head_scanner scanner;
      EXPECT_EQ(scanner.scan(bytes), is_control ? state::bad : state::complete) << c << " at " << offset;
    }
  }
}

TEST(head_scanner, says_so_before_the_head_is_complete) {
  head_scanner scanner;
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\r\nX: a"), state::need_more);
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\r\nX: a\x01"), state::bad);
}

TEST(head_scanner, does_not_change_its_mind) {
  head_scanner good;
  EXPECT_EQ(good.scan("GET / HTTP/1.1\r\n\r\n"), state::complete);
  EXPECT_EQ(good.scan("GET / HTTP/1.1\r\n\r\n\x01\n"), state::complete);
  EXPECT_EQ(good.size(), 18u);
  head_scanner bad;
  EXPECT_EQ(bad.scan("GET / HTTP/1.1\n"), state::bad);
  EXPECT_EQ(bad.scan("GET / HTTP/1.1\r\n\r\n"), state::bad);
}

TEST(head_scanner, limits_lines_heads_and_fields) {
  auto const line = [](std::size_t n) { return std::string(n - 2, 'a') + "\r\n"; };
  struct {
    std::string bytes;
    head_limits limits;
    verdict expected;
  } const cases[] = {
      {line(10) + "\r\n", {12, 9}, {state::complete, 0, 12}},
      {line(10) + "\r\n" + "more", {12, 9}, {state::complete, 0, 12}},
      {line(10) + "\r\n", {11, 9}, {state::bad, 431, 0}},
      {line(10), {12, 9}, incomplete},
      {line(10), {10, 9}, {state::bad, 431, 0}},
      {line(10), {9, 9}, {state::bad, 414, 0}},
      {std::string(9, 'a'), {10, 9}, incomplete},
      {std::string(10, 'a'), {10, 9}, {state::bad, 414, 0}},
      {std::string(100, 'a') + "\x01", {10, 9}, {state::bad, 414, 0}},  // the same in whatever pieces
      {std::string(9, 'a') + "\x01", {10, 9}, bad_400},
      {line(5) + std::string(20, 'b'), {20, 9}, {state::bad, 431, 0}},
      {line(5) + times(3, "X: y\r\n") + "\r\n", {99, 3}, {state::complete, 0, 25}},
      {line(5) + times(4, "X: y\r\n") + "\r\n", {99, 3}, {state::bad, 431, 0}},
      {line(5) + times(4, "X: y\r\n"), {99, 3}, {state::bad, 431, 0}},
      {line(5) + "X: y\r\n", {99, 0}, {state::bad, 431, 0}},
      {line(5) + "\r\n", {99, 0}, {state::complete, 0, 7}},
  };
  for (auto const& c : cases) expect_verdict(c.bytes, c.limits, c.expected);
}

TEST(head_scanner, default_limits) {
  head_scanner scanner;
  EXPECT_EQ(scanner.scan("GET /" + std::string(65535 - 5, 'a')), state::need_more);
  EXPECT_EQ(scanner.scan("GET /" + std::string(65536 - 5, 'a')), state::bad);
  EXPECT_EQ(scanner.error().status, 414u);
}

// One byte at a time must not mean O(n²): 64 MiB of comparisons would take a hundred times as long as this allows.
TEST(head_scanner, looks_at_each_byte_once) {
  auto const head = "GET / HTTP/1.1\r\nX: " + std::string(1 << 20, 'v') + "\r\n\r\n";
  head_scanner scanner({head.size(), 1});
  auto const begin = std::chrono::steady_clock::now();
  auto what = state::need_more;
  for (std::size_t n = 1; n <= head.size() && what == state::need_more; ++n)
    what = scanner.scan(std::string_view(head).substr(0, n));
  EXPECT_EQ(what, state::complete);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

}  // namespace
}  // namespace cooldown::http
