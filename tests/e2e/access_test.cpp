// Access control; and hostile values do not affect log lines, heads and metrics.
#include <fstream>
#include <sstream>

#include <sys/resource.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

fake_upstream::handler fine() {
  return [](auto const&, tcp_client& c) { return c.send(ok_response(completion())); };
}

std::string chat(const std::string& fields) {
  return post_request("/v1/chat/completions", chat_body("m", 10), fields);
}

std::string code_of(const http_response& r) {
  return boost::json::parse(r.body).at("error").at("code").as_string().c_str();
}

}  // namespace

TEST(Access, TokensAreAskedForAndGoNoFurther) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"cerebras.api_key", "provider-key"}, {"server.auth_tokens", "[team-a, team-b]"}});
  auto const none = p.fetch(chat(""));
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(code_of(none), "unauthorized");
  EXPECT_THAT(none.field("www-authenticate"), HasSubstr("Bearer"));
  EXPECT_EQ(none.field("x-should-retry"), "false");
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer provider-key\r\n")).status, 401);
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer team-c\r\n")).status, 401);
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 401);
  EXPECT_EQ(p.fetch(get_request("/health")).status, 200);
  EXPECT_EQ(upstream.count(), 0U) << "nothing is forwarded";
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer team-b\r\n")).status, 200);
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer team-x\r\nProxy-Authorization: Bearer team-a\r\n")).status, 200);
  for (auto const& seen : upstream.seen()) {
    EXPECT_THAT(seen.head, Not(HasSubstr("team-")));
    EXPECT_THAT(seen.head, HasSubstr("Authorization: Bearer provider-key\r\n"));
  }
  EXPECT_EQ(p.metric("cooldown_refusals_total{code=\"unauthorized\"}"), 4);
  EXPECT_THAT(p.program().output(), Not(HasSubstr("team-")));
}

TEST(Access, ClientsWithKeysOfTheirOwnSendTheTokenBesideIt) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.auth_tokens", "[team-a]"}});
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer team-a\r\n")).status, 401);
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer csk-1\r\nProxy-Authorization: Bearer team-a\r\n")).status, 200);
  ASSERT_EQ(upstream.count(), 1U);
  EXPECT_THAT(upstream.seen()[0].head, HasSubstr("Authorization: Bearer csk-1\r\n"));
  EXPECT_THAT(upstream.seen()[0].head, Not(HasSubstr("team-a")));
}

TEST(Access, NoTokenReachesTheProviderInWhateverHeaderItStands) {
  for (bool const own_key : {false, true}) {
    fake_upstream upstream(fine());
    values v{{"server.auth_tokens", "[team-a, team-b]"}};
    if (own_key) v["cerebras.api_key"] = "provider-key";
    proxy p(upstream, v);
    auto const allowed = "Proxy-Authorization: Bearer team-a\r\n";
    for (auto const* line :
         {"Authorization: Bearer team-a", "Authorization: Bearer team-b", "authorization: team-a", "x-api-key: team-a",
          "Authorization: Basic dTp0ZWFtLWE=", "X-Anything: team-b", "Cookie: team-a"})
      EXPECT_EQ(p.fetch(chat(std::string(allowed) + line + "\r\nX-Kept: here\r\n")).status, 200) << line;
    for (auto const& seen : upstream.seen()) {
      EXPECT_THAT(seen.head, Not(HasSubstr("team-"))) << own_key;
      EXPECT_THAT(seen.head, Not(HasSubstr("dTp0ZWFtLWE")));
      EXPECT_THAT(seen.head, HasSubstr("X-Kept: here\r\n"));
    }
  }
}

TEST(Access, OurOwnKeyIsTheOnlyCredentialThatGoesOn) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"cerebras.api_key", "provider-key"}});
  std::string const fields =
      "Authorization: Bearer key-1\r\nx-api-key: key-2\r\napi-key: key-3\r\nX-Goog-Api-Key: key-4\r\nX-Auth-Token: "
      "key-5\r\n"
      "Cookie: c6=key-6\r\nIdempotency-Key: kept\r\n";
  EXPECT_EQ(p.fetch(chat(fields)).status, 200);
  EXPECT_EQ(p.fetch(get_request("/v1/models", fields)).status, 200);
  for (auto const& seen : upstream.seen()) {
    for (auto const* key : {"key-1", "key-2", "key-3", "key-4", "key-5", "key-6"})
      EXPECT_THAT(seen.head, Not(HasSubstr(key)));
    EXPECT_THAT(seen.head, HasSubstr("Authorization: Bearer provider-key\r\n"));
    EXPECT_THAT(seen.head, HasSubstr("Idempotency-Key: kept\r\n"));
  }
}

TEST(Access, OurKeyIsInNoAnswerWhateverItsKind) {
  std::string const key = "provider-key-1234";
  auto const echo = "X-Echo: Bearer " + key + "\r\nX-" + key + ": 1\r\nWWW-Authenticate: Bearer error=\"" + key +
                    "\"\r\nX-Other: fine\r\n";
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    auto const status = r.number % 3 == 0 ? "429 " : r.number % 3 == 1 ? "200 " : "401 ";
    auto const head = "HTTP/1.1 " + std::string(status) + key + "\r\n" + echo;
    if (r.number > 6)
      return c.send(head +
                    "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
                    "9\r\ndata: 1\n\n\r\n0\r\nX-Late: " +
                    key + "\r\n\r\n");
    return c.send(head + "x-should-retry: false\r\nContent-Length: 2\r\n\r\n{}");
  });
  proxy p(upstream, {{"cerebras.api_key", key}, {"cerebras.retries", "0"}, {"cerebras.queue.max_wait", "0s"}});
  for (int i = 0; i < 9; ++i) {
    auto const r = i < 3 ? p.fetch(get_request("/v1/models")) : p.fetch(post_request("/v1/embeddings", chat_body()));
    EXPECT_NE(r.status, 0) << i;
    EXPECT_THAT(r.raw_head + r.body, Not(HasSubstr(key))) << i;
    if (r.status == 200) {
      EXPECT_EQ(r.field("x-other"), "fine") << i;
    }
  }
}

TEST(Access, KeysInAnyHeaderHaveBudgetsOfTheirOwn) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.rpm_limit", "2"}});
  for (auto const* header : {"Authorization: Bearer ", "x-api-key: ", "api-key: ", "x-goog-api-key: "})
    for (auto const* key : {"k1", "k1", "k2", "k2"}) {
      auto const name = std::string(header).substr(0, std::string(header).find(':'));
      EXPECT_EQ(p.fetch(chat(std::string(header) + name + key + "\r\nPrefer: wait=0\r\n")).status, 200) << header;
    }
  EXPECT_EQ(upstream.count(), 16U);
  EXPECT_EQ(p.fetch(chat("x-api-key: x-api-keyk1\r\nPrefer: wait=0\r\n")).status, 429);
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer x-api-keyk1\r\nPrefer: wait=0\r\n")).status, 429) << "the same key";
}

TEST(Access, TheBodyOfARefusedRequestIsNotReadAsTheNextOne) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.auth_tokens", "[team-a]"}});
  tcp_client c(p.port());
  auto const inner = get_request("/v1/models", "Proxy-Authorization: Bearer team-a\r\n");
  c.send(post_request("/v1/chat/completions", inner));
  EXPECT_EQ(read_response(c).status, 401);
  EXPECT_TRUE(c.ends());
  EXPECT_EQ(upstream.count(), 0U);
}

TEST(Access, WebPagesMayOnlyAskWhenTheyAreListed) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send(ok_response(completion(), "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: x\r\n"));
  });
  proxy p(upstream, {{"cerebras.api_key", "k"}, {"server.allowed_origins", "['https://chat.example']"}});
  auto const stranger = p.fetch(chat("Origin: https://evil.example\r\n"));
  EXPECT_EQ(stranger.status, 403);
  EXPECT_EQ(code_of(stranger), "cross_site");
  EXPECT_EQ(stranger.field("access-control-allow-origin"), "");
  EXPECT_EQ(p.fetch("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: h\r\nOrigin: https://evil.example\r\n"
                    "Access-Control-Request-Method: POST\r\n\r\n")
                .status,
            403);
  EXPECT_EQ(upstream.count(), 0U);
  auto const listed = p.fetch(chat("Origin: https://chat.example\r\n"));
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(listed.field("access-control-allow-origin"), "https://chat.example");
  EXPECT_EQ(listed.field("access-control-expose-headers"), "*");
  EXPECT_EQ(listed.field("access-control-allow-headers"), "") << "the provider's are not passed on";
  auto const local = p.fetch(chat("Origin: http://localhost:5173\r\n"));
  EXPECT_EQ(local.status, 200);
  EXPECT_EQ(local.field("access-control-allow-origin"), "");
  EXPECT_EQ(local.field("vary"), "Origin");
  EXPECT_EQ(p.fetch(chat("")).status, 200) << "programs send no Origin";
}

TEST(Access, PreflightsOfListedPagesAreAnsweredHereWithoutAToken) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.auth_tokens", "[t]"}, {"server.allowed_origins", "['*']"}});
  auto const yes = p.fetch(
      "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n"
      "Access-Control-Request-Private-Network: true\r\n\r\n");
  EXPECT_EQ(yes.status, 200);
  EXPECT_EQ(yes.field("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(yes.field("access-control-allow-headers"), "authorization,content-type");
  EXPECT_THAT(yes.field("access-control-allow-methods"), HasSubstr("POST"));
  EXPECT_EQ(yes.field("access-control-allow-private-network"), "true");
  auto const refused = p.fetch(chat("Origin: https://a.example\r\n"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.field("access-control-allow-origin"), "https://a.example") << "the page may read why";
  EXPECT_EQ(upstream.count(), 0U);
  auto const stream = p.fetch(chat("Origin: https://a.example\r\nProxy-Authorization: Bearer t\r\n"));
  EXPECT_EQ(stream.field("access-control-allow-origin"), "https://a.example");
}

TEST(Access, APageWhoseNameWasReboundMayNotAsk) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"cerebras.api_key", "k"}, {"server.allowed_hosts", "[llm.example]"}});
  auto const ask = [&](const std::string& method, const std::string& path, const std::string& host,
                       const std::string& fields = "") {
    return p.fetch(method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n", method);
  };
  for (auto const* method : {"GET", "HEAD", "DELETE", "OPTIONS"})
    EXPECT_EQ(ask(method, "/v1/files", "evil.example:8080").status, 421) << method;
  auto const refused = ask("GET", "/health", "evil.example.");
  EXPECT_EQ(refused.status, 421);
  EXPECT_EQ(code_of(refused), "wrong_host");
  EXPECT_THAT(refused.body, HasSubstr("server.allowed_hosts"));
  auto const image = ask("GET", "/v1/models", "127.0.0.1:8080", "Sec-Fetch-Site: cross-site\r\n");
  EXPECT_EQ(image.status, 403);
  EXPECT_EQ(code_of(image), "cross_site");
  EXPECT_EQ(upstream.count(), 0U) << "nothing is forwarded";
  for (auto const* host : {"localhost", "127.0.0.1:8080", "[::1]", "cooldown-proxy:8080", "llm.example"})
    EXPECT_EQ(ask("GET", "/v1/models", host).status, 200) << host;
  EXPECT_EQ(ask("GET", "/health", "127.0.0.1").status, 200);
}

TEST(Access, AReloadChangesTheTokens) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.auth_tokens", "[old]"}});
  EXPECT_EQ(p.fetch(chat("Proxy-Authorization: Bearer new\r\n")).status, 401);
  p.reload({{"server.auth_tokens", "[new]"}});
  EXPECT_EQ(p.fetch(chat("Proxy-Authorization: Bearer new\r\n")).status, 200);
  EXPECT_EQ(p.fetch(chat("Proxy-Authorization: Bearer old\r\n")).status, 401);
}

TEST(Access, BeyondLoopbackWithoutTokensIsSaidLoudly) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"server.host", "0.0.0.0"}});
  p.program().wait_for_line("server.auth_tokens is empty: whoever reaches it can spend the quota");
  p.reload({{"server.host", "0.0.0.0"}, {"server.auth_tokens", "[a]"}});
  EXPECT_EQ(p.program().count_lines("server.auth_tokens is empty"), 1U);
  p.reload({{"server.host", "0.0.0.0"}});
  EXPECT_TRUE(eventually([&] { return p.program().count_lines("server.auth_tokens is empty") == 2U; }));
}

TEST(Access, TheAdminPortAnswersToItsOwnNamesOnly) {
  fake_upstream upstream(fine());
  proxy p(upstream);
  auto const ask = [&](const std::string& host, const std::string& fields = "") {
    return fetch(p.admin_port(), "GET /status HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n");
  };
  EXPECT_EQ(ask("127.0.0.1:" + std::to_string(p.admin_port())).status, 200);
  auto const rebound = ask("attacker.example");
  EXPECT_EQ(rebound.status, 421);
  EXPECT_EQ(code_of(rebound), "wrong_host");
  auto const other = ask("localhost", "Origin: https://attacker.example\r\n");
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(code_of(other), "cross_site");
  for (auto const& r : {ask("localhost"), rebound, other})
    EXPECT_EQ(r.raw_head.find("Access-Control"), std::string::npos) << "no page of another origin may read";
}

TEST(Access, TheAdminPortAsksForItsToken) {
  fake_upstream upstream(fine());
  proxy p(upstream, {{"admin.host", "0.0.0.0"}, {"admin.token", "adm"}});
  auto const ask = [&](const std::string& path, const std::string& fields = "") {
    return fetch(p.admin_port(), get_request(path, fields)).status;
  };
  for (auto const* path : {"/status", "/metrics", "/nothing"}) {
    EXPECT_EQ(ask(path), 401) << path;
    EXPECT_EQ(ask(path, "Authorization: Bearer admin\r\n"), 401) << path;
  }
  EXPECT_EQ(ask("/status", "Authorization: Bearer adm\r\n"), 200);
  EXPECT_EQ(ask("/metrics", "Authorization: Bearer adm\r\n"), 200);
  EXPECT_EQ(ask("/healthz"), 200);
  EXPECT_EQ(ask("/readyz"), 200);
}

TEST(Secrecy, CoreDumpsAreOffUnlessConfigured) {
  fake_upstream upstream(fine());
  auto const limit = [](proxy& p) {
    std::ifstream in("/proc/" + std::to_string(p.program().pid()) + "/limits");
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("Max core file size")) return line;
    return std::string();
  };
  proxy closed(upstream, {{"server.core_dumps", "false"}});
  EXPECT_THAT(limit(closed), ::testing::MatchesRegex("Max core file size +0 .*"));
  rlimit now{};
  ASSERT_EQ(getrlimit(RLIMIT_CORE, &now), 0);
  if (now.rlim_cur == 0) return;  // nothing to keep
  proxy open(upstream, {{"server.core_dumps", "true"}});
  EXPECT_THAT(limit(open), Not(::testing::MatchesRegex("Max core file size +0 .*")));
}

/// Everything that ends a line, a string or a label somewhere, or never was a character.
class Hostile : public ::testing::TestWithParam<std::string> {
 protected:
  static std::string in_json(const std::string& text) { return boost::json::serialize(boost::json::string(text)); }
};

TEST_P(Hostile, ModelsAndUsersBreakNeitherHeadsNorLinesNorFigures) {
  auto const evil = "m" + GetParam() + "X-Injected: 1";
  for (auto const* format : {"text", "json"}) {
    fake_upstream upstream(fine());
    proxy p(upstream, {{"logging.format", format},
                       {"cerebras.limits", R"({default: {tpm: 1000}})"},
                       {"cerebras.queue.max_wait", "0"}});
    auto const body = R"({"model":)" + in_json(evil) + R"(,"user":)" + in_json(evil) +
                      R"(,"messages":[{"role":"user","content":"x"}],"max_tokens":)";
    auto const good = p.fetch(post_request("/v1/chat/completions", body + "10}"));
    EXPECT_EQ(good.status, 200);
    auto const refused = p.fetch(post_request("/v1/chat/completions", body + "900000}"));
    for (auto const& r : {good, refused}) EXPECT_EQ(r.raw_head.find("\nX-Injected"), std::string::npos);
    p.program().wait_for_line(*format == 'j' ? "\"id\":2" : "id=2");
    EXPECT_LE(p.program().count_lines("X-Injected"), 2U) << p.program().output();
    for (auto const& line : p.program().lines()) {
      if (*format == 'j') {
        EXPECT_NO_THROW(static_cast<void>(boost::json::parse(line))) << line;
      }
      EXPECT_FALSE(line.starts_with("X-Injected")) << line;
      for (char const c : line) EXPECT_FALSE((c >= 0 && c < ' ') || (c == 0x7f && *format == 't')) << line;
    }
    EXPECT_NO_THROW(static_cast<void>(p.status()));
    auto const metrics = fetch(p.admin_port(), get_request("/metrics")).body;
    std::istringstream in(metrics);
    for (std::string line; std::getline(in, line);)
      EXPECT_TRUE(line.starts_with("# ") || line.starts_with("cooldown_") || line.starts_with("process_")) << line;
  }
}

TEST_P(Hostile, WhatTheProviderSaysBreaksNoHead) {
  auto const evil = "x" + GetParam() + "X-Injected: 1";
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    auto const body = R"({"message":)" + boost::json::serialize(boost::json::string(evil)) +
                      R"(,"type":"too_many_requests_error","code":)" +
                      boost::json::serialize(boost::json::string(evil)) + "}";
    return c.send(ok_response(body, "Retry-After: 100000\r\n", 429));
  });
  proxy p(upstream, {{"cerebras.retries", "0"}, {"cerebras.queue.max_wait", "0"}});
  auto const r = p.fetch(chat(""));
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(r.raw_head.find("\nX-Injected"), std::string::npos);
  EXPECT_TRUE(r.complete);
  for (auto const& line : p.program().lines()) EXPECT_FALSE(line.starts_with("X-Injected")) << line;
}

INSTANTIATE_TEST_SUITE_P(Texts, Hostile,
                         ::testing::Values("\r\n", "\n", "\r", "\x85", "\xe2\x80\xa8", "\"} \\ ",
                                           std::string("\0\n", 2), "\x1b[2J\n", "\x7f", "{}={1}\n# HELP x\n"));
