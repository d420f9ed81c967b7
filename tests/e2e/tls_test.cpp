// TLS towards the provider: trust, server name, and connections that end without close_notify.
#include "support/tls.hpp"

#include <fstream>

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

TEST(Tls, EachCertificateInCaFileIsAnAuthority) {
  authority const root;
  authority const between("between-ca", root);
  auto const shown = between.sign("DNS:localhost");
  tls_upstream upstream(shown, says("{}"));
  for (auto const& file : {root.file(), between.file(), shown.file}) {
    proxy p(upstream.url(), {{"cerebras.tls.ca_file", file}});
    EXPECT_EQ(p.fetch(chat).status, 200) << file;
  }
  authority const another("another-ca");
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", another.file()}});
  EXPECT_EQ(p.fetch(chat).status, 502);
  EXPECT_THAT(p.program().wait_for_line("certificate of "), HasSubstr("issued by /CN=test-ca")) << "what is missing";
}

TEST(Tls, AReloadReadsTheAuthoritiesAgain) {
  authority const one;
  authority const two("another-ca");
  temporary_directory const place;
  auto const file = place.path("ca.pem");
  std::ofstream(file) << std::ifstream(one.file()).rdbuf();
  tls_upstream upstream(one.sign("DNS:localhost"), says("{}"));
  values const own{{"cerebras.tls.ca_file", file}};
  proxy p(upstream.url(), own);
  EXPECT_EQ(p.fetch(chat).status, 200);
  p.reload(own);
  EXPECT_EQ(p.fetch(chat).status, 200);
  EXPECT_EQ(upstream.connections().size(), 1U) << "kept: the authorities are the same";
  std::ofstream(file) << std::ifstream(two.file()).rdbuf();
  p.reload(own);
  EXPECT_EQ(p.fetch(chat).status, 502) << "withdrawn";
  std::ofstream(file) << std::ifstream(one.file()).rdbuf();
  p.reload(own);
  EXPECT_EQ(p.fetch(chat).status, 200);
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

namespace {

/// The first answer on each connection has something behind it.
tls_upstream::handler with_something_behind(const tls_upstream::answer& first) {
  auto const number = std::make_shared<std::atomic<int>>(0);
  return [=](const std::string&) {
    if (++*number == 1) return first;
    return tls_upstream::answer{ok_response("\"its own\"")};
  };
}

/// Whatever stood behind the first answer is not seen by the second client.
void expect_not_used_again(const tls_upstream::answer& first) {
  authority const ca;
  for (auto const& request : {chat, get_request("/v1/x"), post_request("/v1/files", "abc")}) {
    tls_upstream upstream(ca.sign("DNS:localhost"), with_something_behind(first));
    proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
    EXPECT_EQ(p.fetch(request).body, "\"first\"");
    auto const r = p.fetch(request);
    EXPECT_EQ(r.status, 200) << request;
    EXPECT_EQ(r.body, "\"its own\"") << request;
    EXPECT_EQ(upstream.attempts(), 2) << request;
    EXPECT_EQ(p.metric("cooldown_upstream_failures_total"), 0) << request;
    EXPECT_EQ(p.metric("cooldown_upstream_retries_total"), 0) << request;
  }
}

const std::string poison = ok_response("\"injected\"");

}  // namespace

TEST(Tls, ARecordBehindAnAnswerIsNobodysAnswer) {
  expect_not_used_again({.bytes = ok_response("\"first\""), .record = poison});
}

TEST(Tls, APieceOfARecordBehindAnAnswerEndsTheConnection) {
  std::string const header("\x17\x03\x03\x00\x20", 5);
  for (std::size_t const size : {1U, 4U, 5U})
    expect_not_used_again({.bytes = ok_response("\"first\""), .wire = header.substr(0, size)});
  expect_not_used_again({.bytes = ok_response("\"first\""), .wire = header + "half of it"});
}

TEST(Tls, AGoodbyeBehindAnAnswerEndsTheConnection) {
  expect_not_used_again({.bytes = ok_response("\"first\""), .after = ending::goodbye});
}

TEST(Tls, AnAnswerInARecordLargerThanItEndsTheConnection) {
  expect_not_used_again({.bytes = ok_response("\"first\"") + poison});
  // Of these, one read takes the answer and nothing else.
  for (std::size_t const size : {8192U, 16 * 1024U - 500U}) {
    auto answer = ok_response("\"first\"", "X-Filler: ");
    auto const filler = answer.find("X-Filler: ") + 10;
    answer.insert(filler, std::string(size - answer.size() - 2, 'x') + "\r\n");
    expect_not_used_again({.bytes = answer + poison});
  }
}

TEST(Tls, WhatComesWhileAConnectionRestsEndsIt) {
  authority const ca;
  event door;
  event asked;
  auto const first = ok_response("\"first\"");
  auto const wait = [&] { door.wait(); };
  std::string const half("\x17\x03\x03\x00\x20half of it", 15);
  std::vector<tls_upstream::answer> const late{{.bytes = first, .record = poison, .wait = wait},
                                               {.bytes = first, .wire = half, .wait = wait},
                                               {.bytes = first, .after = ending::goodbye, .wait = wait}};
  std::atomic<std::size_t> number{0};
  tls_upstream upstream(ca.sign("DNS:localhost"), [&](const std::string&) {
    auto const i = number++;
    asked.set();
    asked.wait(late.size());
    return i < late.size() ? late[i] : tls_upstream::answer{ok_response("\"its own\"")};
  });
  release_at_end const release(door);
  proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < late.size(); ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat);
  }
  for (auto& c : clients) EXPECT_EQ(read_response(c).body, "\"first\"");
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_upstream_connections_idle") == 3; }));
  door.set();
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_upstream_connections_idle") == 0; }, 15s));
  EXPECT_EQ(p.fetch(chat).body, "\"its own\"");
  EXPECT_EQ(upstream.attempts(), 4);
}

TEST(Tls, ASessionTicketDoesNotCostTheConnection) {
  authority const ca;
  event door;
  for (auto const& wait : {std::function<void()>(), std::function<void()>([&] { door.wait(); })}) {
    tls_upstream::answer first{.bytes = ok_response("\"first\""), .ticket = true, .wait = wait};
    tls_upstream upstream(ca.sign("DNS:localhost"), with_something_behind(first));
    proxy p(upstream.url(), {{"cerebras.tls.ca_file", ca.file()}});
    EXPECT_EQ(p.fetch(chat).body, "\"first\"");
    door.set();
    EXPECT_EQ(p.fetch(chat).body, "\"its own\"");
    EXPECT_EQ(upstream.attempts(), 1);
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
