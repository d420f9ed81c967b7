// Access control.
#include "cooldown/net/gatekeeper.hpp"

#include <csignal>
#include <cstdlib>

#include <sys/prctl.h>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "cooldown/net/core_dumps.hpp"

using namespace cooldown;
using namespace cooldown::net;

namespace {

struct parsed {
  explicit parsed(const std::string& fields, const std::string& path = "/v1/models", const std::string& host = "h")
      : bytes("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n") {
    EXPECT_FALSE(http::parse_request_head(bytes, head)) << bytes;
  }
  std::string bytes;
  http::request_head head;
};

/// What the main port says to a request of that Host.
std::optional<reason> at_proxy(const config::settings& s, const std::string& host, const std::string& fields = "",
                               const std::string& path = "/v1/models") {
  auto const no = denied_at_proxy(parsed(fields, path, host).head, s);
  return no ? std::optional(no->why) : std::nullopt;
}

bool passes(const config::settings& s, const std::string& fields, const std::string& path = "/v1/models") {
  return !denied_at_proxy(parsed(fields, path).head, s);
}

std::optional<reason> at_admin(const config::admin_settings& s, const std::string& host, const std::string& fields = "",
                               const std::string& path = "/status") {
  auto const no = denied_at_admin(parsed(fields, path, host).head, s);
  return no ? std::optional(no->why) : std::nullopt;
}

}  // namespace

TEST(Tokens, WithoutAnyEverybodyPasses) {
  config::settings const s;
  EXPECT_TRUE(passes(s, ""));
  EXPECT_TRUE(passes(s, "Authorization: Bearer x\r\n"));
}

TEST(Tokens, WithOurOwnKeyTheyStandWhereClientsPutTheirs) {
  config::settings s;
  s.cerebras.api_key = "key";
  s.server.auth_tokens = {"first", "second"};
  EXPECT_TRUE(passes(s, "Authorization: Bearer first\r\n"));
  EXPECT_TRUE(passes(s, "authorization: bEARER   second \r\n"));
  EXPECT_TRUE(passes(s, "Proxy-Authorization: Bearer second\r\n"));
  EXPECT_TRUE(passes(s, "Authorization: Bearer other\r\nProxy-Authorization: Bearer second\r\n"));
  for (auto const* wrong :
       {"", "Authorization: Bearer firs\r\n", "Authorization: Bearer firsT\r\n", "Authorization: Bearer firstt\r\n",
        "Authorization: first\r\n", "Authorization: Bearer \r\n", "Authorization: Basic first\r\n",
        "X-Token: first\r\n", "Authorization: Bearer key\r\n", "Authorization: Bearer first, second\r\n",
        "Authorization: Bearer x\r\nAuthorization: Bearer first\r\n",
        "Authorization: Bearer first\r\nAuthorization: Bearer x\r\n"})
    EXPECT_FALSE(passes(s, wrong)) << wrong;
}

TEST(Tokens, WithoutOurOwnKeyAuthorizationIsTheProviders) {
  config::settings s;
  s.server.auth_tokens = {"token"};
  EXPECT_TRUE(passes(s, "Authorization: Bearer csk-1\r\nProxy-Authorization: Bearer token\r\n"));
  EXPECT_FALSE(passes(s, "Authorization: Bearer token\r\n")) << "it would reach the provider";
}

TEST(Tokens, HealthNeedsNone) {
  config::settings s;
  s.server.auth_tokens = {"token"};
  EXPECT_TRUE(passes(s, "", "/health"));
  EXPECT_TRUE(passes(s, "", "/health?x"));
  EXPECT_FALSE(passes(s, "", "/health/"));
  EXPECT_FALSE(passes(s, "", "/healthz"));
}

TEST(Tokens, AreKnownInWhateverFormTheyCome) {
  std::vector<std::string> const tokens{"other", "tok-secret", "a:b=="};
  for (auto const* value :
       {"tok-secret", " tok-secret ", "Bearer tok-secret", "bearer   tok-secret", "Token tok-secret",
        "Basic dXNlcjp0b2stc2VjcmV0",  // user:tok-secret
        "basic dXNlcjp0b2stc2VjcmV0",  // the scheme in lower case
        "Basic dG9rLXNlY3JldDo=",      // tok-secret:
        "Basic OnRvay1zZWNyZXQ=",      // :tok-secret
        "Basic OnRvay1zZWNyZXQ",       // the same without padding
        "Basic YTphOmI9PQ==",          // a:a:b==
        "Bearer a:b==", "x, tok-secret", "Bearer x, Bearer tok-secret"})
    EXPECT_TRUE(carries_token(value, tokens)) << value;
  for (auto const* value : {"", " ", "tok-secre", "tok-secretx", "Bearer tok-secret x", "Bearer", "Basic", "Basic ",
                            "Basic !!!!", "Basic dXNlcjp0b2s=", "Tok-secret", "tok-secret:", "x tok-secret y"})
    EXPECT_FALSE(carries_token(value, tokens)) << value;
  EXPECT_FALSE(carries_token("", {})) << "no token";
  EXPECT_FALSE(carries_token("anything", {}));
}

TEST(Origins, PagesOfOtherSitesMayNotAsk) {
  config::settings s;
  for (auto const* stranger :
       {"https://evil.example", "http://evil.example:8080", "null", "https://localhost.evil.example", "http://1.2.3.4",
        "http://127.0.0.1.evil.example", "http://127.evil.example", "file://", "http://", "x", "", "vscode-webview://a",
        "http://0.0.0.0"})
    EXPECT_FALSE(passes(s, std::string("Origin: ") + stranger + "\r\n")) << stranger;
  for (auto const* local : {"http://localhost", "https://LOCALHOST:5173", "http://127.0.0.1:3000", "http://[::1]:1"})
    EXPECT_TRUE(passes(s, std::string("Origin: ") + local + "\r\n")) << local;
  EXPECT_FALSE(passes(s, "Origin: https://evil.example\r\n", "/health"));
  EXPECT_TRUE(passes(s, "", "/health"));
  s.server.allowed_origins = {"https://chat.example", "null"};
  EXPECT_TRUE(passes(s, "Origin: https://chat.example\r\n"));
  EXPECT_TRUE(passes(s, "Origin: null\r\n"));
  EXPECT_FALSE(passes(s, "Origin: https://chat.example:444\r\n"));
  s.server.allowed_origins = {"*"};
  EXPECT_TRUE(passes(s, "Origin: https://evil.example\r\n"));
}

TEST(Origins, WhereTokensAreAskedForTheyDecideInstead) {
  config::settings s;
  s.server.auth_tokens = {"token"};
  EXPECT_TRUE(passes(s, "Origin: https://a.example\r\nProxy-Authorization: Bearer token\r\n"));
  EXPECT_FALSE(passes(s, "Origin: http://localhost\r\n"));
}

TEST(Host, PublicNamesAreRefused) {
  config::settings s;
  for (auto const* path : {"/v1/models", "/health", "/health?x", "/"})
    for (auto const* bad :
         {"evil.example", "evil.example:8080", "EVIL.example", "evil.example.", "a.b", "localhost.evil.example",
          "127.0.0.1.evil.example", "1.evil", "evil.local", "internal.evil.example", "evilinternal.example", "a..",
          "x..y", "127.0.0.1.nip.io", "xn--evil.example"})
      EXPECT_EQ(at_proxy(s, bad, "", path), reason::wrong_host) << bad << path;
  EXPECT_EQ(at_proxy(s, "evil.example", "Sec-Fetch-Site: same-origin\r\n"), reason::wrong_host);
  EXPECT_EQ(at_proxy(s, "evil.example", "Origin: http://localhost\r\n"), reason::wrong_host);
}

TEST(Host, NamesThatNoStrangerCanHavePass) {
  config::settings s;
  for (auto const* good : {"127.0.0.1",
                           "127.0.0.1:8080",
                           "10.1.2.3",
                           "[::1]",
                           "[::1]:8080",
                           "[2001:db8::1]",
                           "localhost",
                           "LocalHost:1",
                           "localhost.",
                           "app.localhost",
                           "a.b.LOCALHOST.:8080",
                           "cooldown-proxy",
                           "cooldown-proxy:8080",
                           "x",
                           "x.",
                           "h_1",
                           "host.docker.internal",
                           "host.containers.internal:8080",
                           "proxy.ai.svc",
                           "proxy.ai.svc.cluster.local",
                           "nas.home.arpa",
                           "127.0.0.1."}) {
    EXPECT_FALSE(at_proxy(s, good)) << good;
    EXPECT_FALSE(at_proxy(s, good, "", "/health")) << good;
  }
  s.server.host = "proxy.example";
  EXPECT_FALSE(at_proxy(s, "Proxy.example:99"));
  EXPECT_FALSE(at_proxy(s, "proxy.example."));
  EXPECT_EQ(at_proxy(s, "a.proxy.example"), reason::wrong_host);
}

TEST(Host, IsNotAskedWhereAPageGetsNothingByIt) {
  config::settings s;
  s.server.auth_tokens = {"secret"};
  EXPECT_FALSE(at_proxy(s, "llm.example", "", "/health"));
  EXPECT_EQ(at_proxy(s, "llm.example", "Sec-Fetch-Site: cross-site\r\n", "/health"), reason::cross_site);
  EXPECT_EQ(at_proxy(s, "llm.example"), reason::unauthorized);
  s.server.auth_tokens.clear();
  s.server.tls = {.certificate_file = "c.pem", .key_file = "k.pem"};
  EXPECT_FALSE(at_proxy(s, "llm.example"));
  EXPECT_EQ(at_proxy(s, "llm.example", "Origin: https://other.example\r\n"), reason::cross_site);
}

TEST(Host, ListedNamesPass) {
  config::settings s;
  s.server.allowed_hosts = {"llm.example", "other.example"};
  EXPECT_FALSE(at_proxy(s, "LLM.example:8080"));
  EXPECT_FALSE(at_proxy(s, "other.example."));
  EXPECT_EQ(at_proxy(s, "third.example"), reason::wrong_host);
  EXPECT_EQ(at_proxy(s, "a.llm.example"), reason::wrong_host);
  s.server.allowed_hosts = {"*"};
  EXPECT_FALSE(at_proxy(s, "third.example"));
}

TEST(Host, TheTargetsOwnAuthorityCounts) {
  config::settings const s;
  auto const ask = [&](const std::string& bytes) {
    http::request_head head;
    EXPECT_FALSE(http::parse_request_head(bytes, head)) << bytes;
    auto const no = denied_at_proxy(head, s);
    return no ? std::optional(no->why) : std::nullopt;
  };
  EXPECT_EQ(ask("GET http://evil.example/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n"), reason::wrong_host);
  EXPECT_FALSE(ask("GET http://localhost/v1 HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
  EXPECT_FALSE(ask("GET /v1 HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(ask("GET /v1 HTTP/1.0\r\nHost: evil.example\r\n\r\n"), reason::wrong_host);
  EXPECT_EQ(ask("POST /v1/chat/completions HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n"),
            reason::wrong_host);
}

TEST(Host, ATokenMakesTheNameUnimportant) {
  config::settings s;
  s.server.auth_tokens = {"token"};
  EXPECT_FALSE(at_proxy(s, "llm.example", "Proxy-Authorization: Bearer token\r\n"));
  EXPECT_FALSE(at_proxy(s, "llm.example", "Proxy-Authorization: Bearer token\r\n", "/health"));
  EXPECT_EQ(at_proxy(s, "llm.example"), reason::unauthorized);
  EXPECT_FALSE(at_proxy(s, "llm.example", "", "/health")) << "load balancers have no token";
}

TEST(FetchMetadata, PagesOfOtherSitesMayNotAsk) {
  config::settings s;
  for (auto const* path : {"/v1/models", "/health"})
    for (auto const* site : {"cross-site", "same-site", "Cross-Site"})
      EXPECT_EQ(at_proxy(s, "localhost", std::string("Sec-Fetch-Site: ") + site + "\r\n", path), reason::cross_site)
          << site;
  for (auto const* site : {"none", "same-origin"})
    EXPECT_FALSE(at_proxy(s, "localhost", std::string("Sec-Fetch-Site: ") + site + "\r\n")) << site;
  std::string const from_listed = "Origin: https://chat.example\r\nSec-Fetch-Site: cross-site\r\n";
  EXPECT_EQ(at_proxy(s, "localhost", from_listed), reason::cross_site);
  s.server.allowed_origins = {"https://chat.example"};
  EXPECT_FALSE(at_proxy(s, "localhost", from_listed));
  EXPECT_EQ(at_proxy(s, "localhost", "Sec-Fetch-Site: cross-site\r\n"), reason::cross_site) << "an <img>";
  EXPECT_FALSE(at_proxy(s, "localhost", "Origin: http://localhost:5173\r\nSec-Fetch-Site: same-site\r\n"))
      << "a page of this machine";
  s.server.allowed_origins = {"*"};
  EXPECT_FALSE(at_proxy(s, "localhost", "Sec-Fetch-Site: cross-site\r\n"));
}

TEST(AdminHost, NamesOfOthersAreRefused) {
  config::admin_settings s;
  for (auto const* good :
       {"127.0.0.1", "127.0.0.1:8081", "localhost", "LocalHost:1", "[::1]", "[::1]:8081", "10.1.2.3"})
    EXPECT_FALSE(at_admin(s, good)) << good;
  for (auto const* bad :
       {"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", "h"})
    EXPECT_EQ(at_admin(s, bad), reason::wrong_host) << bad;
  s.host = "admin.internal";
  EXPECT_FALSE(at_admin(s, "admin.internal:99"));
  s.token = "t";
  EXPECT_FALSE(at_admin(s, "evil.example", "Authorization: Bearer t\r\n")) << "who knows the token may use any name";
}

TEST(AdminHost, PagesOfOtherSitesAreRefused) {
  config::admin_settings const s;
  auto const from = [&](const std::string& origin) {
    return at_admin(s, "localhost:81", "Origin: " + origin + "\r\n");
  };
  EXPECT_FALSE(from("http://localhost:81"));
  for (auto const* bad :
       {"http://localhost", "http://localhost:82", "https://evil.example", "null", "localhost:81", ""})
    EXPECT_EQ(from(bad), reason::cross_site) << bad;
  EXPECT_EQ(at_admin(s, "localhost", "Sec-Fetch-Site: cross-site\r\n"), reason::cross_site);
  EXPECT_EQ(at_admin(s, "localhost", "Sec-Fetch-Site: same-site\r\n"), reason::cross_site);
  EXPECT_FALSE(at_admin(s, "localhost", "Sec-Fetch-Site: same-origin\r\n"));
  EXPECT_FALSE(at_admin(s, "localhost", "Sec-Fetch-Site: none\r\n"));
}

TEST(AdminToken, AllButHealthNeedsIt) {
  config::admin_settings s;
  s.token = "t";
  EXPECT_EQ(at_admin(s, "localhost"), reason::unauthorized);
  EXPECT_EQ(at_admin(s, "localhost", "", "/metrics"), reason::unauthorized);
  EXPECT_EQ(at_admin(s, "localhost", "Authorization: Bearer T\r\n"), reason::unauthorized);
  EXPECT_EQ(at_admin(s, "localhost", "Proxy-Authorization: Bearer t\r\n"), reason::unauthorized);
  EXPECT_FALSE(at_admin(s, "localhost", "Authorization: Bearer t\r\n"));
  for (auto const* path : {"/healthz", "/readyz", "/health"}) EXPECT_FALSE(at_admin(s, "x", "", path)) << path;
}

TEST(CoreDumpsDeathTest, AreForbiddenAndAllowed) {
  auto const state = [] {
    rlimit now{};
    getrlimit(RLIMIT_CORE, &now);
    return (now.rlim_cur == 0 ? 0 : 2) + (prctl(PR_GET_DUMPABLE) == 0 ? 0 : 1);
  };
#ifdef __SANITIZE_ADDRESS__
  int const forbidden = 1;  // the leak checker must look
#else
  int const forbidden = 0;
#endif
  auto const before = state() | 1;
  EXPECT_EXIT((forbid_core_dumps(), std::_Exit(state())), ::testing::ExitedWithCode(forbidden), "");
  EXPECT_EXIT((forbid_core_dumps(), allow_core_dumps(), std::_Exit(state())), ::testing::ExitedWithCode(before), "");
}
