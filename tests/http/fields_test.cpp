#include "cooldown/http/fields.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown::http {
namespace {

using namespace std::string_literals;

TEST(fields, hop_by_hop) {
  for (auto const* name : {"Connection", "keep-alive", "PROXY-CONNECTION", "Proxy-Authenticate", "Proxy-Authorization",
                           "TE", "Trailer", "Transfer-Encoding", "Upgrade", "uPGRADE"})
    EXPECT_TRUE(is_hop_by_hop(name)) << name;
  for (auto const* name : {"", "Host", "Content-Length", "Authorization", "TEx", "T", "Connections", "Trailers",
                           "X-Connection", "Transfer_Encoding", "Set-Cookie", "Via"})
    EXPECT_FALSE(is_hop_by_hop(name)) << name;
}

TEST(fields, credentials) {
  for (auto const* name : {"Authorization",
                           "authorization",
                           "X-Authorization",
                           "x-api-key",
                           "X-API-Key",
                           "api-key",
                           "API_KEY",
                           "apikey",
                           "x-apikey",
                           "x-goog-api-key",
                           "X-Portkey-Api-Key",
                           "Ocp-Apim-Subscription-Key",
                           "x-functions-key",
                           "X-Auth-Key",
                           "X-Auth-Token",
                           "x-access-token",
                           "Private-Token",
                           "X-Amz-Security-Token",
                           "x-vault-token",
                           "token",
                           "CF-Access-Client-Secret",
                           "X-Api-Secret",
                           "Helicone-Auth",
                           "X-Auth",
                           "Cookie",
                           "x_api_key",
                           "X-Password"})
    EXPECT_TRUE(carries_credential(name)) << name;
  for (auto const* name :
       {"", "Accept", "Content-Type", "User-Agent", "Idempotency-Key", "X-Idempotency-Key", "X-Request-Id",
        "x-stainless-timeout", "Priority", "Prefer", "X-Max-Tokens", "keys", "tokens", "Authors", "Sec-WebSocket-Key",
        "Key-Id", "Cookies-Allowed", "OpenAI-Organization", "secretary"})
    EXPECT_FALSE(carries_credential(name)) << name;
}

TEST(fields, the_credential_that_tells_clients_apart) {
  struct {
    std::vector<header_field> fields;
    const char* credential;
  } const cases[] = {
      {{}, ""},
      {{{"Accept", "a"}, {"Cookie", "b"}}, ""},
      {{{"Authorization", "Bearer a"}}, "Bearer a"},
      {{{"x-api-key", "a"}}, "a"},
      {{{"Accept", "x"}, {"API-KEY", "a"}}, "a"},
      {{{"x-goog-api-key", "a"}, {"api-key", "b"}}, "a"},
      {{{"x-api-key", "a"}, {"authorization", "Bearer b"}}, "Bearer b"},
      {{{"Authorization", ""}, {"x-api-key", "a"}}, "a"},
      {{{"X-Auth-Token", "a"}}, "a"},
  };
  for (auto const& c : cases) EXPECT_EQ(credential_in(c.fields), c.credential) << c.credential;
}

TEST(fields, the_session_that_an_agent_names) {
  for (auto const* name : {"X-Session-Id", "x-session-affinity", "x-opencode-session", "x-claude-code-session-id",
                           "session_id", "Session-Id", "Helicone-Session-Id", "X-Codex-Window-Id"})
    EXPECT_EQ(session_in(std::vector<header_field>{{"Accept", "a"}, {name, "s"}}), "s") << name;
  for (auto const* name : {"X-Request-Id", "Obsession", "Session-Name", "x-session-token", "Cookie", "X-Window-Id"})
    EXPECT_EQ(session_in(std::vector<header_field>{{name, "s"}}), "") << name;
  EXPECT_EQ(session_in(std::vector<header_field>{{"session-id", ""}, {"x-session-id", "b"}, {"session", "c"}}), "b");
}

TEST(fields, nomination) {
  struct {
    std::vector<header_field> fields;
    const char* name;
    bool nominated;
  } const cases[] = {
      {{}, "X-Hop", false},
      {{{"Connection", "X-Hop"}}, "X-Hop", true},
      {{{"connection", "x-hop"}}, "X-HOP", true},
      {{{"Connection", "close"}, {"X", "y"}, {"Connection", " a ,\tX-Hop , b"}}, "x-hop", true},
      {{{"Connection", "close, X-Other"}, {"Connection", "X-Hop"}}, "x-other", true},
      {{{"Connection", "X-Hop"}}, "X-Ho", false},
      {{{"Connection", "X-Hop"}}, "X-Hops", false},
      {{{"Connection", "X-Hop-2"}}, "X-Hop", false},
      {{{"Connection", "X Hop"}}, "X", false},
      {{{"Connection", ",,"}}, "X", false},
      {{{"Connection", ""}}, "X", false},
      {{{"Proxy-Connection", "X-Hop"}}, "X-Hop", false},
      {{{"X-Connection", "X-Hop"}}, "X-Hop", false},
      {{{"Connection", "Content-Length, Host, Authorization, X-Hop"}}, "Content-Length", false},
      {{{"Connection", "Content-Length, Host, Authorization, X-Hop"}}, "host", false},
      {{{"Connection", "Content-Length, Host, Authorization, X-Hop"}}, "AUTHORIZATION", false},
      {{{"Connection", "Content-Length, Host, Authorization, X-Hop"}}, "X-Hop", true},
      {{{"Connection", "Content-Type, Accept, Cookie, If-Match"}}, "content-type", false},
      {{{"Connection", "Content-Type, Accept, Cookie, If-Match"}}, "Accept", false},
      {{{"Connection", "Content-Type, Accept, Cookie, If-Match"}}, "Cookie", false},
      {{{"Connection", "Content-Type, Accept, Cookie, If-Match"}}, "If-Match", false},
  };
  for (auto const& c : cases) {
    EXPECT_EQ(is_nominated(c.fields, c.name), c.nominated) << c.name;
    EXPECT_EQ(nominations(c.fields).contains(c.name), c.nominated) << c.name;
  }
}

TEST(fields, many_nominations) {
  std::string value;
  for (int i = 999; i >= 0; --i) value += "X-" + std::to_string(i) + (i % 2 == 0 ? ", " : " ,");
  std::vector<header_field> const fields{{"Connection", value}};
  nominations const nominated(fields);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(nominated.contains("x-" + std::to_string(i))) << i;
  EXPECT_FALSE(nominated.contains("x-1000"));
  EXPECT_FALSE(nominated.contains(""));
}

TEST(fields, protection) {
  for (auto const* name : {"Host", "content-length", "Content-Anything", "ACCEPT", "Accept-Encoding", "Authorization",
                           "Cookie", "Set-Cookie", "If-None-Match", "X-Api-Key", "Retry-After"})
    EXPECT_TRUE(is_protected(name)) << name;
  for (auto const* name : {"", "X-Hop", "X-Forwarded-For", "Hos", "Hosts", "Keep-Alive", "TE"})
    EXPECT_FALSE(is_protected(name)) << name;
}

TEST(fields, append) {
  std::string out = "GET / HTTP/1.1\r\n";
  append_field(out, "A", "b");
  append_field(out, "C", "");
  EXPECT_EQ(out, "GET / HTTP/1.1\r\nA: b\r\nC: \r\n");
}

TEST(fields, any_text_becomes_a_safe_value) {
  EXPECT_EQ(field_value("plain text"), "plain text");
  EXPECT_EQ(field_value(""), "");
  EXPECT_EQ(field_value("a\r\nSet-Cookie: b"), "a  Set-Cookie: b");
  EXPECT_EQ(field_value("a\0b\x01\x1f\x7f\tc"s), "a b    c");
  EXPECT_EQ(field_value("caf\xc3\xa9"), "caf\xc3\xa9");
  for (unsigned c = 0; c < 256; ++c) {
    auto const safe = field_value(std::string(1, static_cast<char>(c)));
    ASSERT_EQ(safe.size(), 1u);
    EXPECT_TRUE(static_cast<unsigned char>(safe[0]) >= 0x20 && safe[0] != 0x7f) << c;
  }
}

}  // namespace
}  // namespace cooldown::http
