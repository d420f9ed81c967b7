#include "cooldown/net/sending.hpp"

#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using what = head_result::what;

namespace {

struct Sending : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  tcp_socket client{io};
  interrupt ctl{sweep, client};
  socket_pair pair{io};
  far_end& provider = pair.far;
  upstream_connection upstream{std::move(pair.near)};
  const std::string request_head = "POST / HTTP/1.1\r\n\r\n";
  std::string body = std::string(4 * 1024 * 1024, 'x');  // more than the kernel keeps
  std::string bytes;
  http::response_head head;
  std::optional<head_result> result;
  duration patience = 20s;

  static task<void> run(Sending& t) {
    sent_request const sent{t.request_head, t.body, "POST", 64 * 1024, t.patience};
    auto r = co_await send_and_read_head(t.upstream, sent, t.ctl, t.bytes, t.head);
    t.ctl.clear();
    t.result = std::move(r);
  }
  void start() {
    asio::co_spawn(io, run(*this), asio::detached);
    EXPECT_TRUE(run_until(io, [&] { return provider.read(request_head.size()) == request_head; }));
  }
  bool ends() {
    return run_until(io, [&] { return result.has_value(); });
  }
  /// Reads what is sent until it is all there.
  bool takes_all() {
    std::size_t taken = 0;
    return run_until(io, [&] { return (taken += provider.read().size()) == body.size(); });
  }
};

}  // namespace

TEST_F(Sending, AnAnswerBehindTheWholeRequestLeavesTheConnectionUsable) {
  start();
  ASSERT_TRUE(takes_all());
  provider.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::ok);
  EXPECT_FALSE(upstream.broken);
}

TEST_F(Sending, AnErrorThatComesBeforeAllIsSentEndsTheSending) {
  start();
  provider.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::ok);
  EXPECT_EQ(head.status, 413U);
  EXPECT_TRUE(upstream.broken) << "half a request is on it";
}

TEST_F(Sending, AnInterimAnswerDoesNotEndIt) {
  start();
  provider.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  ASSERT_TRUE(takes_all());
  EXPECT_FALSE(result);
  provider.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ends());
  EXPECT_EQ(head.status, 200U);
  EXPECT_FALSE(upstream.broken);
}

TEST_F(Sending, BehindAnEarlySuccessTheRequestIsSentToItsEnd) {
  start();
  provider.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(takes_all());
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::ok);
  EXPECT_FALSE(upstream.broken);
}

TEST_F(Sending, AProviderThatHasAnsweredAndTakesNoMoreIsNotWaitedFor) {
  start();
  provider.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ends());
  EXPECT_EQ(head.status, 200U);
  EXPECT_TRUE(upstream.broken);
}

TEST_F(Sending, AProviderThatReadsNoMoreMayStillAnswer) {
  start();
  provider.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  provider.close();
  ASSERT_TRUE(ends());
  EXPECT_TRUE(upstream.broken);
}

TEST_F(Sending, TheTimeForTheHeadBeginsWhenAllIsSent) {
  patience = 2s;
  start();
  // For longer than the patience in all, but never without taking something for so long.
  std::size_t taken = 0;
  for (int i = 0; i < 12; ++i) {
    io.restart();
    io.run_for(200ms);
    taken += provider.read(body.size() / 12 + 1).size();
  }
  ASSERT_TRUE(run_until(io, [&] { return (taken += provider.read().size()) == body.size() || result; }));
  ASSERT_FALSE(result) << "it was at work all the time";
  provider.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::ok);
}

TEST_F(Sending, AProviderThatNeitherTakesNorAnswersIsGivenUp) {
  patience = 200ms;
  start();
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::timeout);
}

TEST_F(Sending, ADepartedClientEndsBothDirections) {
  start();
  ctl.fire(interruption::client_gone);
  ASSERT_TRUE(ends());
  EXPECT_EQ(result->kind, what::interrupted);
}
