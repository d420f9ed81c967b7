// Relaying: what the client gets of an answer, and how it ends.
#include "cooldown/net/relay.hpp"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "lone_proxy.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using framing = http::body_framing::kind;

namespace {

struct Relay : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = settings_of_lone_proxy();
  observe::log log{settings.logging};
  app shared{io, settings, log};
  socket_pair front{io};
  socket_pair back{io};
  client_connection c{std::move(front.near), shared.port, role::proxy};
  upstream_connection u{std::move(back.near)};
  far_end& client = front.far;
  far_end& provider = back.far;
  std::string got;
  std::optional<relay_end> end;

  http::body_framing in;
  outgoing out = outgoing::chunked;
  http::usage_reader* usage = nullptr;

  static task<void> run(Relay& t) {
    relay_limits const limits{t.settings.cerebras.timeouts.idle, t.settings.server.body_timeout};
    auto const ended = co_await relay_body(t.c, t.u, limits, t.in, t.out, "head|", t.usage);
    t.end = ended;
  }
  void start(framing how, std::uint64_t length, outgoing to) {
    in.how = how;
    in.length = length;
    out = to;
    asio::co_spawn(io, run(*this), asio::detached);
  }
  void send(std::string_view bytes) { EXPECT_EQ(provider.send(bytes), bytes.size()); }
  bool comes(std::string_view wanted) {
    return run_until(io, [&] {
      got += client.read();
      return got == wanted;
    });
  }
  relay_end ends() {
    EXPECT_TRUE(run_until(io, [&] { return end.has_value(); }));
    got += client.read();
    return *end;
  }
};

}  // namespace

TEST_F(Relay, WithoutABodyTheHeadIsAll) {
  for (auto const how : {framing::none, framing::length}) {
    send("more");
    end.reset();
    got.clear();
    start(how, 0, how == framing::none ? outgoing::none : outgoing::counted);
    EXPECT_EQ(ends(), relay_end::complete);
    EXPECT_EQ(got, "head|");
  }
}

TEST_F(Relay, ACountedBodyEndsWithItsLength) {
  start(framing::length, 5, outgoing::counted);
  send("he");
  ASSERT_TRUE(comes("head|he")) << "at once";
  send("llo, and what nobody asked for");
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|hello");
  EXPECT_FALSE(u.quiet());
}

TEST_F(Relay, ChunksAreFramedAnewAndTrailersDropped) {
  start(framing::chunked, 0, outgoing::chunked);
  send("2;a=b\r\nhe\r\n");
  ASSERT_TRUE(comes("head|2\r\nhe\r\n"));
  send("1\r\nl\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n");
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
}

TEST_F(Relay, AnEndThatComesAloneIsPassedOn) {
  start(framing::chunked, 0, outgoing::chunked);
  send("2\r\nhe\r\n");
  ASSERT_TRUE(comes("head|2\r\nhe\r\n"));
  send("0\r\n\r\n");
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|2\r\nhe\r\n0\r\n\r\n");
}

TEST_F(Relay, AnOldClientGetsTheBytesAlone) {
  start(framing::chunked, 0, outgoing::until_close);
  send("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|hello");
}

TEST_F(Relay, TheEndOfTheStreamEndsABodyWithoutALength) {
  start(framing::until_close, 0, outgoing::chunked);
  send("hello");
  ASSERT_TRUE(comes("head|5\r\nhello\r\n"));
  provider.close();
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|5\r\nhello\r\n0\r\n\r\n");
}

TEST_F(Relay, TheEndOfTheStreamBreaksAnyOtherBody) {
  start(framing::length, 9, outgoing::counted);
  send("hello");
  provider.close();
  EXPECT_EQ(ends(), relay_end::upstream_cut);
  EXPECT_EQ(got, "head|hello");
}

TEST_F(Relay, BrokenChunksAreNeverFinished) {
  start(framing::chunked, 0, outgoing::chunked);
  send("2\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(ends(), relay_end::upstream_malformed);
  EXPECT_EQ(got, "head|2\r\nhe\r\n");
}

TEST_F(Relay, SilenceBreaksABody) {
  settings.cerebras.timeouts.idle = 1ms;
  start(framing::until_close, 0, outgoing::chunked);
  send("hello");
  EXPECT_EQ(ends(), relay_end::upstream_silent);
  EXPECT_EQ(got, "head|5\r\nhello\r\n");
}

TEST_F(Relay, FramingAloneIsSilence) {
  settings.cerebras.timeouts.idle = 1ms;
  start(framing::chunked, 0, outgoing::chunked);
  send("5;");
  int sent = 0;
  EXPECT_TRUE(run_until(io, [&] {
    if (++sent < 1000) provider.send("a");
    return end.has_value();
  }));
  EXPECT_EQ(ends(), relay_end::upstream_silent);
}

TEST_F(Relay, AClientThatHasLeftEndsIt) {
  client.close();
  start(framing::length, 5, outgoing::counted);
  EXPECT_EQ(ends(), relay_end::client_gone);
}

TEST_F(Relay, AClientThatLeavesWhileNothingComesEndsIt) {
  start(framing::length, 5, outgoing::counted);
  ASSERT_TRUE(comes("head|"));
  c.ctl.fire(interruption::client_gone);
  EXPECT_EQ(ends(), relay_end::client_gone);
}

TEST_F(Relay, AClientThatIsGoneBeforeTheLastChunkEndsIt) {
  start(framing::until_close, 0, outgoing::chunked);
  ASSERT_TRUE(comes("head|"));
  client.close();
  provider.close();
  EXPECT_EQ(ends(), relay_end::client_gone);
}

TEST_F(Relay, UsageIsReadInPassing) {
  http::usage_reader reader(http::content_coding::identity);
  usage = &reader;
  std::string const body = R"({"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})";
  start(framing::length, body.size(), outgoing::counted);
  send(body);
  EXPECT_EQ(ends(), relay_end::complete);
  auto const used = reader.finish();
  ASSERT_TRUE(used);
  EXPECT_EQ(used->total_tokens, 5U);
}

TEST_F(Relay, LargeBodiesAreReadInLargePieces) {
  std::string const body(300'000, 'x');
  start(framing::length, body.size(), outgoing::counted);
  std::string_view left = body;
  EXPECT_TRUE(run_until(io, [&] {
    left.remove_prefix(provider.send(left));
    got += client.read();
    return end.has_value() && got.size() == body.size() + 5;
  }));
  EXPECT_EQ(ends(), relay_end::complete);
  EXPECT_EQ(got, "head|" + body);
}

TEST_F(Relay, FramingForTheClientFollowsItsVersion) {
  request r(shared.port.bodies);
  http::response_head head;
  for (bool const http11 : {true, false}) {
    r.http11 = http11;
    auto const unknown = http11 ? outgoing::chunked : outgoing::until_close;
    head.body.how = framing::none;
    EXPECT_EQ(framing_for(head, r), outgoing::none);
    head.body.how = framing::length;
    EXPECT_EQ(framing_for(head, r), outgoing::counted);
    head.body.how = framing::chunked;
    EXPECT_EQ(framing_for(head, r), unknown);
    head.body.how = framing::until_close;
    EXPECT_EQ(framing_for(head, r), unknown);
  }
}

namespace {

struct ReadHead : Relay {
  std::string bytes;
  http::response_head head;
  std::optional<head_result> result;
  std::size_t largest = 1024;

  static task<void> read(ReadHead& t) {
    auto r = co_await read_response_head(t.u, "GET", t.largest, t.c.ctl, t.bytes, t.head);
    t.result = std::move(r);
  }
  head_result::what reads() {
    result.reset();
    asio::co_spawn(io, read(*this), asio::detached);
    EXPECT_TRUE(run_until(io, [&] { return result.has_value(); }));
    return result->kind;
  }
};

std::string many_interim(unsigned n) {
  std::string out;
  while (n-- > 0) out += "HTTP/1.1 103 Early Hints\r\n\r\n";
  return out;
}

}  // namespace

TEST_F(ReadHead, InterimResponsesAreDropped) {
  send(many_interim(100) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(reads(), head_result::what::ok);
  EXPECT_EQ(head.status, 200U);
  EXPECT_EQ(u.in.size(), 2U);
}

TEST_F(ReadHead, TooManyInterimResponsesAreNotAcceptable) {
  send(many_interim(101) + "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(reads(), head_result::what::unacceptable);
}

TEST_F(ReadHead, AnUpgradeThatNobodyAskedForIsNotAcceptable) {
  send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  EXPECT_EQ(reads(), head_result::what::unacceptable);
}

TEST_F(ReadHead, WhatIsNoHeadIsNotAcceptable) {
  for (auto const& no :
       {std::string("\x01\x02\r\n\r\n"), std::string("HTTP/1.1 200 OK\r\nA: ") + std::string(2000, 'x'),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")}) {
    u.in.clear();
    send(no);
    EXPECT_EQ(reads(), head_result::what::unacceptable) << no;
    EXPECT_NE(result->message, "");
  }
}

TEST_F(ReadHead, AConnectionThatEndsIsBroken) {
  send("HTTP/1.1 2");
  provider.close();
  EXPECT_EQ(reads(), head_result::what::broken);
  EXPECT_TRUE(result->first_byte);
}

TEST_F(ReadHead, SilenceIsATimeoutAndADepartureAnInterruption) {
  c.ctl.set(1ms);
  EXPECT_EQ(reads(), head_result::what::timeout);
  EXPECT_FALSE(result->first_byte);
  c.ctl.reset();
  c.ctl.fire(interruption::client_gone);
  EXPECT_EQ(reads(), head_result::what::interrupted);
}

namespace {

struct WholeBody : Relay {
  std::string body;
  std::optional<bool> whole;
  duration patience = 10s;

  static task<void> read(WholeBody& t) {
    auto const r = co_await read_whole_body(t.u, t.in, 100, t.patience, t.c.ctl, t.body);
    t.whole = r;
  }
  bool reads(framing how, std::uint64_t length = 0) {
    in.how = how;
    in.length = length;
    whole.reset();
    body.clear();
    asio::co_spawn(io, read(*this), asio::detached);
    EXPECT_TRUE(run_until(io, [&] { return whole.has_value(); }));
    return *whole;
  }
};

}  // namespace

TEST_F(WholeBody, IsReadWhateverItsFraming) {
  send("hello5\r\nhello\r\n0\r\n\r\nhello");
  provider.shutdown_send();
  for (auto const how : {framing::length, framing::chunked, framing::until_close}) {
    EXPECT_TRUE(reads(how, 5));
    EXPECT_EQ(body, "hello");
  }
  EXPECT_TRUE(reads(framing::none));
  EXPECT_FALSE(reads(framing::length, 5)) << "nothing is left";
}

TEST_F(WholeBody, OneThatIsTooLongIsNone) {
  for (auto const how : {framing::length, framing::until_close}) {
    send(std::string(200, 'x'));
    EXPECT_FALSE(reads(how, 200));
  }
}

TEST_F(WholeBody, OneThatTricklesEndsWithThePatience) {
  patience = 1ms;
  send("he");
  EXPECT_FALSE(reads(framing::length, 5));
  EXPECT_EQ(c.ctl.why(), interruption::timeout);
}
