// Reading one request: accepted, rejected, or just closed.
#include "cooldown/net/intake.hpp"

#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "lone_proxy.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using what = intake_result::what;

namespace {

struct Intake : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = [] {
    auto s = settings_of_lone_proxy();
    s.server.max_header_size = 2 * 1024;
    s.server.max_body_size = 100 * 1024;
    s.cerebras.queue.max_bytes = 1024 * 1024;
    return s;
  }();
  observe::log log{settings.logging};
  std::optional<app> shared;
  std::optional<client_connection> c;
  std::optional<far_end> client;
  std::optional<request> r;
  std::optional<intake_result> result;

  static task<void> read(Intake& t) {
    auto got = co_await read_head(*t.c, *t.r);
    if (got.kind == what::ready) {
      if (auto at_hand = take_body(*t.c, *t.r)) {
        got = std::move(*at_hand);
      } else {
        got = co_await read_body(*t.c, *t.r);
      }
    }
    t.result = std::move(got);
  }
  void begin(role serves = role::proxy) {
    r.reset();
    c.reset();
    shared.emplace(io, settings, log);
    socket_pair pair(io);
    c.emplace(std::move(pair.near), shared->port, serves);
    client.emplace(std::move(pair.far));
    go_on();
  }
  /// With the next request.
  void go_on() {
    result.reset();
    r.emplace(shared->port.bodies);
    asio::co_spawn(io, read(*this), asio::detached);
  }
  void send(std::string_view bytes) {
    EXPECT_TRUE(run_until(io, [&] {
      bytes.remove_prefix(client->send(bytes));
      return bytes.empty();
    }));
  }
  /// Lets it take what has been sent.
  void settle() {
    io.restart();
    while (io.poll() > 0) io.restart();
  }
  void TearDown() override {
    if (!result && client) {
      client->close();
      end();
    }
    r.reset();
    EXPECT_EQ(shared->port.bodies.total(), 0U);
  }
  const intake_result& end() {
    EXPECT_TRUE(run_until(io, [&] { return result.has_value(); }));
    return *result;
  }
  void expect_ready(std::string_view body) {
    ASSERT_EQ(end().kind, what::ready) << result->refusal.body;
    EXPECT_EQ(r->body.view(), body);
  }
  void expect_refused(unsigned status, std::string_view code) {
    ASSERT_EQ(end().kind, what::refused);
    EXPECT_EQ(result->refusal.status, status);
    EXPECT_THAT(result->refusal.body, HasSubstr(code));
  }

  static std::string post(std::string_view fields, std::string_view path = "/v1/chat/completions") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
  }
  static std::string get(std::string_view fields = "", std::string_view target = "/v1/models") {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
  }
  static std::string sized(std::size_t n) { return "Content-Length: " + std::to_string(n) + "\r\n"; }
};

constexpr auto chunked = "Transfer-Encoding: chunked\r\n";

}  // namespace

TEST_F(Intake, ARequestInPiecesIsTheSameRequest) {
  begin();
  for (char const b : post(sized(5) + "Prefer: wait=7\r\nPriority: u=1\r\n", "/v1/chat/completions?x=1") + "hello") {
    send({&b, 1});
    settle();
  }
  expect_ready("hello");
  EXPECT_EQ(r->method, "POST");
  EXPECT_EQ(r->path(), "/v1/chat/completions");
  EXPECT_TRUE(r->metered);
  EXPECT_TRUE(r->http11);
  EXPECT_TRUE(r->keep_alive);
  EXPECT_EQ(r->prefer_wait, 7s);
  EXPECT_EQ(r->urgency, 1);
}

TEST_F(Intake, RequestsThatComeTogetherAreReadOneByOne) {
  begin();
  send(post(sized(3)) + "one" + post(chunked) + "3\r\ntwo\r\n0\r\nX: y\r\n\r\n" + get("Connection: close\r\n"));
  expect_ready("one");
  go_on();
  expect_ready("two");
  go_on();
  expect_ready("");
  EXPECT_FALSE(r->metered);
  EXPECT_FALSE(r->keep_alive);
  EXPECT_EQ(c->in.size(), 0U);
}

TEST_F(Intake, ALargeBodyIsCountedUntilItsRequestEnds) {
  begin();
  std::string const body(60'000, 'b');
  send(post(sized(body.size())) + body);
  expect_ready(body);
  EXPECT_EQ(shared->port.bodies.total(), body.size());
  r->sent_for_good();
  EXPECT_EQ(shared->port.bodies.total(), 0U);
}

TEST_F(Intake, SomeEmptyLinesBeforeARequestAreSkipped) {
  begin();
  send("\r\n\r\n\r\n\r\n" + get());
  expect_ready("");
  go_on();
  send("\r\n\r\n\r\n\r\n\r\n" + get());
  expect_refused(400, "bad_request");
}

TEST_F(Intake, ExpectIsAnsweredUnlessTheBodyIsHere) {
  begin();
  send(post(sized(2) + "Expect: 100-continue\r\n"));
  std::string interim;
  ASSERT_TRUE(run_until(io, [&] { return !(interim += client->read()).empty(); }));
  EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
  send("ok");
  expect_ready("ok");
  go_on();
  send(post(sized(2) + "Expect: 100-continue\r\n") + "ok");
  expect_ready("ok");
  EXPECT_EQ(client->read(), "");
}

TEST_F(Intake, WhoeverExpectsAndLeavesIsNotAnswered) {
  begin();
  send(post(sized(2) + "Expect: 100-continue\r\n"));
  client->close();
  EXPECT_EQ(end().kind, what::closed);
}

TEST_F(Intake, AClientThatLeavesIsNotAnswered) {
  for (auto const& sent : {std::string(), std::string("GET /"), post(sized(9)) + "part", post(chunked) + "5\r\npart"}) {
    begin();
    send(sent);
    client->close();
    EXPECT_EQ(end().kind, what::closed) << sent;
  }
}

TEST_F(Intake, WhatIsTooSlowIsToldSo) {
  settings.server.header_timeout = 1ms;
  settings.server.body_timeout = 1ms;
  for (auto const& sent : {std::string("GET /"), post(sized(9)) + "part", post(chunked) + "5\r\npart"}) {
    begin();
    send(sent);
    expect_refused(408, "request_timeout");
  }
}

TEST_F(Intake, WhatIsNotAcceptableIsRefused) {
  settings.cerebras.base_url.prefix = "/api";
  struct {
    std::string sent;
    unsigned status;
    std::string code;
  } const cases[] = {
      {"GET / HTTP/1.1\nHost: localhost\r\n\r\n", 400, "bad_request"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"},
      {get("X: " + std::string(3000, 'x') + "\r\n"), 431, "bad_request"},
      {get("", "/v1/%2e%2e/x"), 400, "base_url"},
      {get("Upgrade: websocket\r\nConnection: Upgrade\r\n"), 426, "WebSocket"},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, "wrong_host"},
      {get("Origin: https://evil.example\r\n"), 403, "cross_site"},
      {post(sized(200'000)), 413, "body_too_large"},
      {post(chunked) + "30000\r\n" + std::string(0x30000, 'x') + "\r\n0\r\n\r\n", 413, "body_too_large"},
      {post(chunked) + "x\r\n", 400, "chunk"},
  };
  for (auto const& one : cases) {
    begin();
    send(one.sent);
    expect_refused(one.status, one.code);
  }
}

TEST_F(Intake, OtherUpgradesAreDeclinedBySilence) {
  begin();
  send(get("Upgrade: h2c, TLS/1.3\r\nConnection: Upgrade\r\n") + get("Upgrade: websocket\r\n"));
  expect_ready("");
  go_on();
  expect_ready("");
}

TEST_F(Intake, WhatHasPassedThroughUsIsALoop) {
  begin();
  send(get("Via: " + shared->port.via + "\r\n"));
  expect_refused(508, "loop_detected");
}

TEST_F(Intake, WithoutATokenItIsSaidWhichSchemeWouldDo) {
  settings.server.auth_tokens = {"token"};
  begin();
  send(get());
  expect_refused(401, "unauthorized");
  EXPECT_THAT(result->refusal.fields, HasSubstr("WWW-Authenticate: Bearer"));
}

TEST_F(Intake, WithoutRoomForItsBodyARequestMayComeAgain) {
  begin();
  auto const most = settings.cerebras.queue.max_bytes;
  body_room::bounds const all{most, most};
  for (auto const& sent : {post(sized(90'000)) + std::string(90'000, 'x'), post(chunked) + "5\r\nhello\r\n"}) {
    ASSERT_EQ(shared->port.bodies.take({1, 1}, 0, most, all), body_room::answer::taken);
    send(sent);
    expect_refused(503, "queue_full");
    EXPECT_THAT(result->refusal.fields, HasSubstr("Retry-After: 1"));
    EXPECT_THAT(result->refusal.body, HasSubstr("bodies of all requests"));
    shared->port.bodies.give_back({1, 1}, most);
    begin();
  }
}

TEST_F(Intake, OneClientLeavesRoomForOthers) {
  settings.cerebras.queue.max_bytes = 256 * 1024;
  begin();
  // Its own key tells who it is.
  auto const mine = shared->port.credential_of("mine");
  body_room::bounds const all{settings.cerebras.queue.max_bytes, settings.server.max_body_size};
  ASSERT_EQ(shared->port.bodies.take({mine, 0}, 0, 150 * 1024, all), body_room::answer::taken);
  send(post(sized(90'000) + "Authorization: Bearer mine\r\n") + std::string(90'000, 'x'));
  expect_refused(503, "queue_full");
  EXPECT_THAT(result->refusal.body, HasSubstr("this client's requests"));
  shared->port.bodies.give_back({mine, 0}, 150 * 1024);
}

TEST_F(Intake, KeysThatCanBeMadeUpShareTheRoomOfTheirAddress) {
  settings.cerebras.queue.max_bytes = 256 * 1024;
  settings.cerebras.api_key = "ours";
  settings.server.auth_tokens = {"a-token-of-ours"};
  body_room::bounds const all{settings.cerebras.queue.max_bytes, settings.server.max_body_size};
  for (bool const with_token : {false, true}) {
    if (!with_token) settings.server.auth_tokens.clear();
    begin();
    body_room::owner const another{1, c->network};
    ASSERT_EQ(shared->port.bodies.take(another, 0, 150 * 1024, all), body_room::answer::taken);
    send(post(sized(90'000) + "Authorization: Bearer a-token-of-ours\r\n") + std::string(90'000, 'x'));
    if (with_token) {
      expect_ready(std::string(90'000, 'x'));
      r.reset();
    } else {
      expect_refused(503, "queue_full");
      EXPECT_THAT(result->refusal.body, HasSubstr("from its address"));
    }
    shared->port.bodies.give_back(another, 150 * 1024);
    settings.server.auth_tokens = {"a-token-of-ours"};
  }
}

TEST_F(Intake, ALargeHeadWithoutRoomMayComeAgain) {
  settings.server.max_header_size = 64 * 1024;
  begin();
  auto const most = settings.cerebras.queue.max_bytes;
  ASSERT_EQ(shared->port.bodies.take({1, 1}, 0, most, {most, most}), body_room::answer::taken);
  send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(40'000, 'x'));
  settle();
  send(std::string(20'000, 'x') + "\r\n\r\n");
  expect_ready("");  // its own head takes nothing from the room
  r.reset();
  shared->port.bodies.give_back({1, 1}, most);
}

TEST_F(Intake, QuestionsThatAreForUsAreKnown) {
  settings.server.allowed_origins = {"https://page.example"};
  begin();
  send(
      "OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n"
      "OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 1\r\n\r\n"
      "OPTIONS /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://page.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  expect_ready("");
  EXPECT_TRUE(r->last_hop);
  go_on();
  expect_ready("");
  EXPECT_FALSE(r->last_hop);
  EXPECT_FALSE(r->preflight);
  go_on();
  expect_ready("");
  EXPECT_TRUE(r->preflight);
  EXPECT_THAT(r->cors, HasSubstr("Access-Control-Allow-Methods"));
}

TEST_F(Intake, TheAdminPortKnowsItsOwnQuestions) {
  begin(role::admin);
  send(post("Content-Type: application/json; charset=utf-8\r\n" + sized(2), "/reload") + "{}" +
       get("Accept: application/openmetrics-text\r\n", "/metrics") + get("Origin: https://evil.example\r\n"));
  expect_ready("{}");
  EXPECT_TRUE(r->json_body);
  go_on();
  expect_ready("");
  EXPECT_FALSE(r->json_body);
  EXPECT_TRUE(r->wants_open_metrics);
  go_on();
  expect_refused(403, "cross_site");
}
