// HTTP as an intermediary: forms of requests, framing that is refused, keys and paths.
#include <atomic>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

namespace {

fake_upstream::handler says(const std::string& body) {
  return [body](auto const&, tcp_client& c) { return c.send(ok_response(body)); };
}

}  // namespace

TEST(Http, Ipv6OnBothSides) {
  fake_upstream upstream(says("\"six\""), 0, "::1");
  proxy p("http://[::1]:" + std::to_string(upstream.port()), {{"server.host", "\"::1\""}});
  p.program().wait_for_line("listening on http://[::1]:");
  tcp_client c(p.port(), "::1");
  c.send(get_request("/v1/models"));
  EXPECT_EQ(read_response(c).body, "\"six\"");
  EXPECT_THAT(upstream.seen().at(0).head, HasSubstr("\r\nHost: [::1]:" + std::to_string(upstream.port()) + "\r\n"));
}

TEST(Http, Http10Client) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
  });
  proxy p(upstream);
  tcp_client c(p.port());
  c.send("GET /v1/models HTTP/1.0\r\n\r\n");
  auto const r = read_response(c);
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, "abcdef");
  EXPECT_EQ(r.field("transfer-encoding"), "");
  EXPECT_TRUE(c.was_closed());
  EXPECT_THAT(upstream.seen().at(0).head, StartsWith("GET /v1/models HTTP/1.1\r\n"));
}

TEST(Http, Http10KeepAlive) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  tcp_client c(p.port());
  for (int i = 0; i < 2; ++i) {
    c.send("GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.field("connection"), "keep-alive");
  }
}

TEST(Http, PipelinedRequestsAreAnsweredInOrder) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response("\"" + r.head.substr(4, r.head.find(' ', 4) - 4) + "\""));
  });
  proxy p(upstream);
  tcp_client c(p.port());
  std::string all;
  for (int i = 0; i < 20; ++i) all += get_request("/v1/" + std::to_string(i));
  c.send(all);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read_response(c).body, "\"/v1/" + std::to_string(i) + "\"");
}

TEST(Http, ConnectionCloseIsHonoured) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  tcp_client c(p.port());
  c.send(get_request("/v1/models", "Connection: close\r\n"));
  auto const r = read_response(c);
  EXPECT_EQ(r.field("connection"), "close");
  EXPECT_TRUE(c.ends());
  EXPECT_THAT(upstream.seen().at(0).head, Not(HasSubstr("close"))) << "the upstream's connection is not the client's";
}

TEST(Http, UpstreamConnectionsAreReused) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_EQ(upstream.connections(), 1);
}

TEST(Http, Expect100Continue) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  tcp_client c(p.port());
  c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(c.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("abc");
  EXPECT_EQ(read_response(c).status, 200);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].body, "abc");
  EXPECT_THAT(seen[0].head, Not(HasSubstr("Expect")));
}

TEST(Http, HeadHasNoBody) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.head.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" : ok_response("{}"));
  });
  proxy p(upstream);
  tcp_client c(p.port());
  c.send("HEAD /v1/models HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(read_response(c, "HEAD").field("content-length"), "500");
  c.send(get_request("/v1/models"));
  EXPECT_EQ(read_response(c).body, "{}") << "the connection is in step";
  EXPECT_EQ(upstream.connections(), 1);
}

TEST(Http, HeadThatIsRefusedHasNoBody) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.max_body_size", "1KiB"}, {"server.body_timeout", "200ms"}});
  for (std::string const length : {"2000", "10"}) {
    tcp_client c(p.port());
    c.send("HEAD /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: " + length + "\r\n\r\n");
    auto const answer = c.read_all();
    EXPECT_THAT(answer, HasSubstr(length == "10" ? " 408 " : " 413 "));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  }
}

TEST(Http, NoContentAndNotModifiedHaveNoBody) {
  for (std::string const status : {"204 No Content", "304 Not Modified"}) {
    fake_upstream upstream([&](auto const& r, tcp_client& c) {
      return c.send(r.number == 0 ? "HTTP/1.1 " + status + "\r\nETag: \"x\"\r\n\r\n" : ok_response("{}"));
    });
    proxy p(upstream);
    tcp_client c(p.port());
    c.send(get_request("/v1/x"));
    EXPECT_EQ(std::to_string(read_response(c).status), status.substr(0, 3));
    c.send(get_request("/v1/x"));
    EXPECT_EQ(read_response(c).body, "{}");
  }
}

TEST(Http, NoContentHasNoLengthEither) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.number == 0 ? "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx" : ok_response("{}"));
  });
  proxy p(upstream);
  tcp_client c(p.port());
  c.send(get_request("/v1/x"));
  EXPECT_EQ(read_response(c).field("content-length"), "");
  c.send(get_request("/v1/y"));
  EXPECT_EQ(read_response(c).body, "{}") << "the connection is in step";
}

TEST(Http, InterimResponsesAreNotTheAnswer) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok_response("{}"));
  });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(get_request("/v1/x")).status, 200);
}

TEST(Http, ClientThatLeavesBeforeTheAnswerEndsTheUpstreamRequest) {
  event gone;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    if (c.read_some().empty()) gone.set();
    return false;
  });
  proxy p(upstream);
  tcp_client metered(p.port());
  metered.send(post_request("/v1/chat/completions", chat_body()));
  ASSERT_TRUE(upstream.wait_for(1));
  metered.shutdown_send();
  EXPECT_TRUE(gone.wait(1)) << "a FIN is a departure";
  tcp_client plain(p.port());
  plain.send(get_request("/v1/models"));
  ASSERT_TRUE(upstream.wait_for(2));
  plain.reset();
  EXPECT_TRUE(gone.wait(2));
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_clients_gone_total") == 2; }));
  EXPECT_EQ(p.in_flight(), 0U);
}

TEST(Http, BaseUrlWithAPath) {
  fake_upstream upstream(says("{}"));
  proxy p("http://127.0.0.1:" + std::to_string(upstream.port()) + "/gateway/eu/");
  EXPECT_EQ(p.fetch(get_request("/v1/models?limit=3")).status, 200);
  EXPECT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  EXPECT_THAT(upstream.seen().at(0).head, StartsWith("GET /gateway/eu/v1/models?limit=3 HTTP/1.1\r\n"));
  EXPECT_THAT(upstream.seen().at(1).head, StartsWith("POST /gateway/eu/v1/chat/completions HTTP/1.1\r\n"));
}

TEST(Http, PathsWithAndWithoutV1AreMetered) {
  fake_upstream upstream(says(completion()));
  proxy p(upstream, {{"cerebras.rate_limits.use_headers", "false"}});
  for (auto const* path : {"/v1/chat/completions", "/chat/completions", "/v1/completions", "/v1/embeddings"})
    EXPECT_EQ(p.fetch(post_request(path, chat_body())).status, 200);
  for (auto const* path : {"/v1/models", "/v1/chat/completions"}) EXPECT_EQ(p.fetch(get_request(path)).status, 200);
  EXPECT_EQ(p.fetch(post_request("/v1/files", "{}")).status, 200);
  EXPECT_EQ(p.metric("cooldown_released_requests_total"), 4);
}

TEST(Http, HopByHopFieldsStopHere) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send(
        ok_response("{}", "Connection: x-secret-hop, keep-alive\r\nX-Secret-Hop: 1\r\nKeep-Alive: 5\r\nX-End: 1\r\n"));
  });
  proxy p(upstream);
  auto const r = p.fetch(get_request("/v1/x", "Connection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-End: 2\r\n"));
  EXPECT_EQ(r.field("x-secret-hop"), "");
  EXPECT_EQ(r.field("keep-alive"), "");
  EXPECT_EQ(r.field("x-end"), "1");
  EXPECT_THAT(r.field("via"), HasSubstr("cooldown-proxy"));
  auto const head = upstream.seen().at(0).head;
  EXPECT_THAT(head, Not(HasSubstr("X-Mine")));
  EXPECT_THAT(head, Not(HasSubstr("TE:")));
  EXPECT_THAT(head, HasSubstr("\r\nX-End: 2\r\n"));
  EXPECT_THAT(head, ::testing::ContainsRegex("\r\nVia: 1.1 cooldown-proxy-[0-9a-f]{16}\r\n"));
}

TEST(Http, ThePathOfTheProvidersUrlTakesThePlaceOfTheClientsVersion) {
  fake_upstream upstream(says(completion()));
  proxy p("http://127.0.0.1:" + std::to_string(upstream.port()) + "/openai/v1/");
  EXPECT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  EXPECT_EQ(p.fetch(get_request("/v1/models?a=1")).status, 200);
  EXPECT_THAT(upstream.seen().at(0).head, ::testing::StartsWith("POST /openai/v1/chat/completions HTTP/1.1\r\n"));
  EXPECT_THAT(upstream.seen().at(1).head, ::testing::StartsWith("GET /openai/v1/models?a=1 HTTP/1.1\r\n"));
  EXPECT_EQ(p.status().at("scopes").as_array().size(), 1U) << "it is still metered";
}

namespace {

/// The Via field that a proxy gives a request.
std::string via_of(const proxy& p, const fake_upstream& upstream) {
  p.fetch(get_request("/v1/models"));
  auto const head = upstream.seen().back().head;
  auto const at = head.find("\r\nVia: ");
  return at == std::string::npos ? "" : head.substr(at + 7, head.find("\r\n", at + 2) - at - 7);
}

}  // namespace

TEST(Loop, ARequestThatHasPassedThroughThisProxyIsRefused) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  auto const via = via_of(p, upstream);
  for (auto const& fields :
       {"Via:" + via + "\r\n", "via: 1.0 other (a comment)\r\nVIA: 1.1 a, " + via.substr(1) + " (x),1.1 b\r\n"}) {
    auto const r = p.fetch(post_request("/v1/chat/completions", chat_body(), fields));
    EXPECT_EQ(r.status, 508) << fields;
    EXPECT_EQ(r.field("x-ratelimit-reason"), "loop_detected");
    EXPECT_EQ(r.field("x-should-retry"), "false");
    EXPECT_THAT(r.body, HasSubstr("cerebras.base_url"));
    EXPECT_EQ(fetch(p.admin_port(), get_request("/status", fields)).status, 508) << "nor at the admin port";
  }
  EXPECT_EQ(upstream.count(), 1U);
  EXPECT_EQ(p.metric("cooldown_refusals_total{code=\"loop_detected\"}"), 4);
}

TEST(Loop, ProxiesInARowAreNone) {
  fake_upstream upstream(says(completion()));
  proxy second(upstream);
  proxy first("http://127.0.0.1:" + std::to_string(second.port()));
  EXPECT_EQ(first.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  auto const vias = upstream.seen().at(0).head;
  EXPECT_THAT(vias,
              ::testing::ContainsRegex("Via: 1.1 cooldown-proxy-[0-9a-f]{16}\r\n(.*\r\n)*Via: 1.1 cooldown-proxy-"));
  EXPECT_EQ(second.fetch(get_request("/v1/models", "Via: 1.1 cooldown-proxy\r\n")).status, 200);
  EXPECT_EQ(second.fetch(get_request("/v1/models", "Via: 1.1 cooldown-proxy-0123456789abcdef\r\n")).status, 200);
}

TEST(Loop, AProxyWhoseProviderLeadsBackToItAnswersAtOnce) {
  // A tunnel to the proxy itself, by an address that no check of the configuration can know.
  std::atomic<std::uint16_t> back{0};
  std::atomic<int> passed{0};
  fake_upstream tunnel([&](auto const& r, tcp_client& c) {
    ++passed;
    tcp_client on(back);
    on.send(r.head + r.body);
    auto const answer = read_response(on, "POST");
    return c.send("HTTP/1.1 " + std::to_string(answer.status) +
                  " X\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(answer.body.size()) +
                  "\r\n\r\n" + answer.body);
  });
  proxy p(tunnel);
  back = p.port();
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()), "POST");
  EXPECT_EQ(r.status, 508);
  EXPECT_THAT(r.body, HasSubstr("loop_detected"));
  EXPECT_EQ(passed, 1);
}

TEST(ApiKey, ReplacesTheClientsOwn) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream, {{"cerebras.api_key", "${THE_KEY}"}}, {"THE_KEY=csk-of-the-house"});
  EXPECT_EQ(p.fetch(get_request("/v1/models", "Authorization: Bearer csk-of-the-client\r\n")).status, 200);
  auto const head = upstream.seen().at(0).head;
  EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Bearer csk-of-the-house\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("csk-of-the-client")));
}

TEST(ApiKey, TheEnvironmentsIsTakenWhereTheFileNamesNone) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream, {}, {"CEREBRAS_API_KEY=csk-of-the-house"});
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_THAT(upstream.seen().at(0).head, HasSubstr("\r\nAuthorization: Bearer csk-of-the-house\r\n"));
}

TEST(ApiKey, WithoutOneTheClientsGoesThrough) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  EXPECT_EQ(p.fetch(get_request("/v1/models", "Authorization: Bearer csk-of-the-client\r\n")).status, 200);
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_THAT(upstream.seen().at(0).head, HasSubstr("\r\nAuthorization: Bearer csk-of-the-client\r\n"));
  EXPECT_THAT(upstream.seen().at(1).head, Not(HasSubstr("uthorization")));
}

TEST(ApiKey, AppearsNowhere) {
  std::string const own = "csk-0123456789-house";
  std::string const clients = "csk-0123456789-client";
  for (bool const with_key : {true, false}) {
    fake_upstream upstream([](auto const& r, tcp_client& c) {
      return r.number != 1 &&
             c.send(ok_response(completion(), "x-ratelimit-limit-tokens-minute: junk\r\n", r.number == 2 ? 401 : 200));
    });
    values v{{"logging.level", "trace"}, {"cerebras.retries", "0"}};
    if (with_key) v["cerebras.api_key"] = own;
    proxy p(upstream, v);
    auto const auth = "Authorization: Bearer " + clients + "\r\n";
    std::string out;
    for (int i = 0; i < 4; ++i)
      out += p.fetch(post_request("/v1/chat/completions?key=" + clients, chat_body(), auth)).raw_head;
    auto const bad = p.fetch("GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization : Bearer " + clients + "\r\n\r\n");
    EXPECT_EQ(bad.status, 400);
    auto const status = fetch(p.admin_port(), get_request("/status"));
    auto const metrics = fetch(p.admin_port(), get_request("/metrics"));
    process check(COOLDOWN_PROXY_PROGRAM, {"--config", p.config_path(), "--check-config"});
    EXPECT_EQ(check.wait(), 0) << check.output();
    p.reload({{"cerebras.api_key", own}, {"cerebras.retries", "wrong"}});
    p.program().signal(SIGTERM);
    EXPECT_EQ(p.program().wait(), 0);
    out += bad.raw_head + bad.body + status.body + metrics.body + check.output() + p.program().output();
    EXPECT_THAT(out, HasSubstr("access id=4"));
    EXPECT_THAT(out, Not(HasSubstr("csk-0123456789")));
  }
}

struct refused_request {
  const char* name;
  std::string bytes;
  int status;
};

void PrintTo(const refused_request& r, std::ostream* to) {
  *to << r.name;
}

class Smuggling : public ::testing::TestWithParam<refused_request> {};

TEST_P(Smuggling, IsRefusedAndNothingForwarded) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream, {{"server.max_header_size", "16KiB"}});
  tcp_client c(p.port());
  c.send(GetParam().bytes);
  auto const r = read_response(c);
  EXPECT_EQ(r.status, GetParam().status) << r.raw_head << r.body;
  EXPECT_EQ(r.field("connection"), "close");
  EXPECT_TRUE(c.ends());
  EXPECT_EQ(upstream.connections(), 0);
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200) << "the others are served";
  EXPECT_EQ(upstream.count(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Smuggling,
    ::testing::Values(
        refused_request{"LengthAndChunked",
                        "POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
                        400},
        refused_request{"ChunkedAndLength",
                        "POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
                        "0\r\n\r\n",
                        400},
        refused_request{"TwoLengths",
                        "POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                        400},
        refused_request{"SignedLength", "POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400},
        refused_request{"UnknownCoding",
                        "POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        refused_request{"ChunkedInHttp10",
                        "POST /v1/files HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        refused_request{
            "BadChunkSize",
            "POST /v1/files HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400},
        refused_request{"NoHost", "GET /v1/models HTTP/1.1\r\n\r\n", 400},
        refused_request{"TwoHosts", "GET /v1/models HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        refused_request{"BareLineFeed", "GET /v1/models HTTP/1.1\nHost: h\n\n", 400},
        refused_request{"BareLineFeedInFields", "GET /v1/models HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n", 400},
        refused_request{"SpaceBeforeColon", "GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Field : a\r\n\r\n", 400},
        refused_request{"ObsoleteFolding", "GET /v1/models HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
        refused_request{"Nul", "GET /v1/models HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"s, 400},
        refused_request{"Connect", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", 501},
        refused_request{"Trace", "TRACE /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", 405},
        refused_request{"Version", "GET /v1/models HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        refused_request{"OversizedHead", get_request("/v1/models", "X-Large: " + std::string(20'000, 'x') + "\r\n"),
                        431}),
    [](const auto& of) { return std::string(of.param.name); });

TEST(Http, AbsoluteFormIsAccepted) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream);
  EXPECT_EQ(p.fetch("GET http://localhost/v1/models?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
  auto const head = upstream.seen().at(0).head;
  EXPECT_THAT(head, StartsWith("GET /v1/models?a=b HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nHost: 127.0.0.1:"));
}

TEST(Http, RefusalOfALargeUploadReachesItsClient) {
  fake_upstream upstream(says("{}"));
  proxy p(upstream, {{"server.max_body_size", "1KiB"}});
  tcp_client c(p.port());
  // Far more than anybody reads: the answer must not be lost to the reset that this would bring.
  c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + std::string(500'000, 'x'));
  EXPECT_EQ(read_response(c).status, 413);
}
