// TLS towards the upstream: whom it trusts, whom it asks for, and what an end without a goodbye means.
#include "support/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

using ending = tls_upstream::ending;

tls_upstream::handler says(const std::string& body) {
  return [body](const std::string&) { return tls_upstream::answer{ok_response(body), ending::keep_alive}; };
}

const std::string chat = post_request("/v1/chat/completions", chat_body());

void expect_tls_refusal(proxy& p, const tls_upstream& upstream, const std::string& said) {
  auto const r = p.fetch(chat);
  EXPECT_EQ(r.status, 502);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_tls_error");
  EXPECT_EQ(r.field("x-should-retry"), "false");
  EXPECT_EQ(upstream.attempts(), 1) << "never repeated";
  EXPECT_EQ(upstream.requests(), 0U);
  auto const line = p.program().wait_for_line("certificate of ");
  EXPECT_THAT(line, HasSubstr(said));
}

}  // namespace

TEST(Tls, VerifiedThroughCaFile) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), says(completion()));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  auto const r = p.fetch(chat);
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, completion());
  EXPECT_EQ(p.fetch(chat).status, 200);
  auto const seen = upstream.connections();
  ASSERT_EQ(seen.size(), 1U) << "kept between requests";
  EXPECT_EQ(seen[0].server_name, "localhost");
  EXPECT_EQ(seen[0].version, "TLSv1.3");
}

TEST(Tls, VerifiedByAddress) {
  authority const ca;
  tls_upstream upstream(ca.sign("IP:127.0.0.1"), says("{}"));
  proxy p(upstream.url("127.0.0.1"), {{"cerebras.tls.ca_file", ca.file()}});
  EXPECT_EQ(p.fetch(chat).status, 200);
  EXPECT_EQ(upstream.connections().at(0).server_name, "") << "no address in SNI";
}

TEST(Tls, WrongNameIsRefused) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:other.example"), says("{}"));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  expect_tls_refusal(p, upstream, "localhost");
}

TEST(Tls, ExpiredCertificateIsRefused) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost", true), says("{}"));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  expect_tls_refusal(p, upstream, "certificate has expired");
}

TEST(Tls, UnknownAuthorityIsRefused) {
  authority const ca;
  authority const another("another-ca");
  tls_upstream upstream(ca.sign("DNS:localhost"), says("{}"));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", another.file()}});
  expect_tls_refusal(p, upstream, "unable to get local issuer certificate");
}

TEST(Tls, SystemAuthoritiesDoNotKnowIt) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), says("{}"));
  proxy p(upstream.url());
  expect_tls_refusal(p, upstream, "localhost");
}

TEST(Tls, ServerNameIsAskedForAndChecked) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:api.other.example"), says("{}"));
  proxy p(upstream.url("127.0.0.1"),
          {{"cerebras.tls.ca_file", ca.file()}, {"cerebras.tls.server_name", "api.other.example"}});
  EXPECT_EQ(p.fetch(chat).status, 200);
  EXPECT_EQ(upstream.connections().at(0).server_name, "api.other.example");
}

TEST(Tls, WithoutVerificationAnythingGoesButIsSaid) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:other.example"), says("{}"));
  proxy p(upstream.url(), {{"cerebras.tls.verify", "false"}});
  EXPECT_EQ(p.fetch(chat).status, 200);
  p.program().wait_for_line("cerebras.tls.verify is false");
}

TEST(Tls, SecondConnectionResumesTheSession) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), [](const std::string&) {
    return tls_upstream::answer{ok_response("{}", "Connection: close\r\n"), ending::close_notify};
  });
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(p.fetch(chat).status, 200);
  auto const seen = upstream.connections();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_FALSE(seen[0].resumed);
  EXPECT_TRUE(seen[1].resumed);
  EXPECT_TRUE(seen[2].resumed);
}

TEST(Tls, TruncatedCloseDelimitedBodyIsCut) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), [](const std::string&) {
    return tls_upstream::answer{"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nperhaps half", ending::truncate};
  });
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  auto const r = p.fetch(get_request("/v1/x"));
  EXPECT_EQ(r.status, 200);
  EXPECT_FALSE(r.complete) << "without close_notify nobody knows that this is all";
  tcp_client old(p.port());
  old.send("GET /v1/x HTTP/1.0\r\n\r\n");
  read_response(old);
  EXPECT_TRUE(old.was_reset());
}

TEST(Tls, ProperlyEndedCloseDelimitedBodyIsComplete) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), [](const std::string&) {
    return tls_upstream::answer{"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it", ending::close_notify};
  });
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  auto const r = p.fetch(get_request("/v1/x"));
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "all of it");
}

TEST(Tls, TruncationAfterACompleteBodyIsNone) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), [](const std::string&) {
    return tls_upstream::answer{ok_response("{}"), ending::truncate};
  });
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  for (int i = 0; i < 3; ++i) {
    auto const r = p.fetch(chat);
    EXPECT_EQ(r.status, 200);
    EXPECT_TRUE(r.complete);
  }
}

TEST(Tls, SilentHandshakeIsGivenUp) {
  event never;
  // It reads until the end of a head, which a handshake does not have.
  fake_upstream upstream([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p("https://127.0.0.1:" + std::to_string(upstream.port()),
          {{"cerebras.timeouts.connect", "500ms"}, {"cerebras.retries", "0"}});
  auto const r = p.fetch(chat);
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_unavailable");
}

TEST(Tls, PlainTextUpstreamIsNotTrusted) {
  fake_upstream upstream([&](auto const&, tcp_client&) { return false; });
  process sim(CEREBRAS_SIM_PROGRAM, {"--listen", "127.0.0.1:0"});
  auto const line = sim.wait_for_line("listening on http://");
  proxy p("https://127.0.0.1:" + line.substr(line.rfind(':') + 1), {{"cerebras.retries", "0"}});
  EXPECT_EQ(p.fetch(chat).status, 503);
}

TEST(Tls, LargeAnswerArrivesIdentical) {
  authority const ca;
  std::string body(5'000'000, ' ');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  tls_upstream upstream(ca.sign("DNS:localhost"), says(body));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  auto const r = p.fetch(get_request("/v1/x"));
  EXPECT_TRUE(r.complete);
  EXPECT_TRUE(r.body == body);
}

TEST(Tls, LargeRequestArrives) {
  authority const ca;
  tls_upstream upstream(ca.sign("DNS:localhost"), says("{}"));
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  EXPECT_EQ(p.fetch(post_request("/v1/files", std::string(5'000'000, 'x'))).status, 200);
  EXPECT_EQ(upstream.requests(), 1U);
}
