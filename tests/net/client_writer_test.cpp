// What the client of an exchange is sent: the head of its answer, and what becomes of that once a comment has gone out.
#include "cooldown/net/client_writer.hpp"

#include <functional>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "lone_proxy.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

namespace {

struct ClientWriter : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = [] {
    auto s = settings_of_lone_proxy();
    s.cerebras.api_key = "the-key-of-ours";
    return s;
  }();
  observe::log log{settings.logging};
  app shared{io, settings, log};
  socket_pair front{io};
  socket_pair back{io};
  client_connection c{std::move(front.near), shared.port, role::proxy};
  upstream_connection u{std::move(back.near)};
  request r{shared.port.bodies};
  exchange_record record{c, shared.upstreams.first(), r};
  client_writer writer{c, r, record, settings};
  std::string bytes;  // what `head` points into
  http::response_head head;
  std::string got;

  void answer(std::string fields, std::string_view status = "200 OK") {
    bytes = "HTTP/1.1 ";
    bytes.append(status).append("\r\n").append(fields).append("\r\n");
    ASSERT_FALSE(http::parse_response_head(bytes, "POST", head));
  }

  template <class T>
  struct done {
    std::optional<T> result;
  };
  template <class T>
  static task<void> wait_for(task<T> what, done<T>& out) {
    auto r = co_await std::move(what);
    out.result = std::move(r);
  }
  template <class T>
  T run(task<T> what) {
    done<T> d;
    asio::co_spawn(io, wait_for(std::move(what), d), asio::detached);
    EXPECT_TRUE(run_until(io, [&] {
      got += front.far.read();
      return d.result.has_value();
    }));
    got += front.far.read();
    return *d.result;
  }
  /// The provider sends this, and no more.
  relay_end relay(std::string body) {
    asio::co_spawn(io, send(*this, std::move(body)), asio::detached);
    return run(writer.relay(u, head, settings.cerebras.timeouts.idle, nullptr));
  }
  static task<void> send(ClientWriter& t, std::string body) {
    std::string_view left = body;
    while (!left.empty()) {
      left.remove_prefix(t.back.far.send(left));
      co_await asio::post(t.io, tok);
    }
    t.back.far.shutdown_send();
  }
  bool whole(std::string body) { return run(writer.whole(head, std::move(body))); }
  bool comment() { return run(writer.comment(": queued\n\n")); }
  bool reject(reason why) { return run(writer.reject(why, {})); }

  static std::size_t count(std::string_view text, std::string_view of) {
    std::size_t n = 0;
    for (auto at = text.find(of); at != std::string_view::npos; at = text.find(of, at + 1)) ++n;
    return n;
  }
};

const std::string a_comment = "a\r\n: queued\n\n\r\n";

}  // namespace

TEST_F(ClientWriter, TheProvidersFieldsGoOnButForTheConnectionsOwnAndOurs) {
  answer(
      "Content-Length: 2\r\nX-Request-Id: 7\r\nKeep-Alive: timeout=5\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
      "X-RateLimit-Queue-Length: 99\r\nAccess-Control-Allow-Origin: *\r\n");
  EXPECT_EQ(relay("ok"), relay_end::complete);
  EXPECT_TRUE(writer.keeps_connection());
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 2\r\n"),
                         HasSubstr("X-Request-Id: 7\r\n"), HasSubstr("\r\nVia: 1.1 cooldown-proxy-"), EndsWith("ok")));
  EXPECT_THAT(got, AllOf(Not(HasSubstr("Keep-Alive")), Not(HasSubstr("X-Hop")), Not(HasSubstr("Queue-Length: 99")),
                         Not(HasSubstr("Access-Control"))));
}

TEST_F(ClientWriter, OurKeyIsNotShown) {
  answer("Content-Length: 0\r\nX-You-Sent: the-key-of-ours\r\nthe-key-of-ours: 1\r\n", "200 the-key-of-ours");
  EXPECT_EQ(relay(""), relay_end::complete);
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), Not(HasSubstr("the-key-of-ours"))));
}

TEST_F(ClientWriter, ThereIsOneDate) {
  auto const date = std::string("Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n");
  for (auto const& dates : {std::string(), date, date + date}) {
    got.clear();
    answer("Content-Length: 0\r\n" + dates);
    EXPECT_TRUE(whole(""));
    EXPECT_EQ(count(got, "\r\nDate: "), 1U);
    EXPECT_EQ(count(got, date), dates.empty() ? 0U : 1U) << "the provider's, if there is one";
  }
}

TEST_F(ClientWriter, ChunksAndAnswersWithoutABodyHaveNoLength) {
  answer("Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(relay("2\r\nok\r\n0\r\n\r\n"), relay_end::complete);
  EXPECT_THAT(got, AllOf(HasSubstr("Transfer-Encoding: chunked\r\n"), Not(HasSubstr("Content-Length")),
                         EndsWith("2\r\nok\r\n0\r\n\r\n")));
  got.clear();
  answer("Content-Length: 5\r\n", "204 No Content");
  EXPECT_EQ(relay(""), relay_end::complete);
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 204 "), Not(HasSubstr("Content-Length"))));
}

TEST_F(ClientWriter, WhetherTheConnectionGoesOnIsSaid) {
  answer("Content-Length: 0\r\n");
  r.http11 = false;
  EXPECT_TRUE(whole(""));
  EXPECT_THAT(got, HasSubstr("\r\nConnection: keep-alive\r\n"));
  got.clear();
  r.keep_alive = false;
  EXPECT_FALSE(whole(""));
  EXPECT_THAT(got, HasSubstr("\r\nConnection: close\r\n"));
  got.clear();
  r.keep_alive = true;
  shared.port.draining = true;
  EXPECT_FALSE(whole(""));
  EXPECT_THAT(got, HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(ClientWriter, AnOldClientGetsAnAnswerWithoutALengthUntilItsEnd) {
  r.http11 = false;
  answer("");
  EXPECT_EQ(relay("hello"), relay_end::complete);
  EXPECT_FALSE(writer.keeps_connection());
  EXPECT_THAT(got, AllOf(HasSubstr("\r\nConnection: close\r\n"), EndsWith("\r\n\r\nhello")));
}

TEST_F(ClientWriter, ARefusalHasAReasonAndTheStateOfTheQueue) {
  EXPECT_TRUE(reject(reason::queue_full));
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("X-RateLimit-Reason: queue_full\r\n"),
                         HasSubstr("X-RateLimit-Queue-Length: 0\r\n"), EndsWith("}\n")));
  EXPECT_EQ(record.line.status, 503U);
}

TEST_F(ClientWriter, TheFirstCommentBeginsTheStream) {
  EXPECT_FALSE(writer.committed());
  EXPECT_TRUE(comment());
  EXPECT_TRUE(comment());
  EXPECT_TRUE(writer.committed());
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"),
                         EndsWith("\r\n\r\n" + a_comment + a_comment)));
  EXPECT_EQ(count(got, "HTTP/1.1"), 1U);
}

TEST_F(ClientWriter, DuringShutdownTheStreamIsTheLast) {
  shared.port.draining = true;
  EXPECT_TRUE(comment());
  EXPECT_THAT(got, HasSubstr("\r\nConnection: close\r\n"));
}

TEST_F(ClientWriter, AfterACommentAStreamGoesOnAsItIs) {
  EXPECT_TRUE(comment());
  answer("Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n");
  EXPECT_EQ(relay("9\r\ndata: 1\n\n\r\n0\r\n\r\n"), relay_end::complete);
  EXPECT_TRUE(writer.keeps_connection());
  EXPECT_THAT(got, EndsWith(a_comment + "9\r\ndata: 1\n\n\r\n0\r\n\r\n"));
}

TEST_F(ClientWriter, AfterACommentAnyOtherAnswerIsAnEvent) {
  EXPECT_TRUE(comment());
  answer("Content-Type: application/json\r\nContent-Length: 8\r\n");
  EXPECT_EQ(relay(R"({"id":1})"), relay_end::complete);
  EXPECT_THAT(got, AllOf(HasSubstr("data: {\"id\":1}\n\n"), EndsWith("\r\n0\r\n\r\n")));
  EXPECT_EQ(count(got, "HTTP/1.1"), 1U);
}

TEST_F(ClientWriter, AfterACommentAnAnswerThatBreaksOffIsNotFinished) {
  EXPECT_TRUE(comment());
  answer("Content-Type: application/json\r\nContent-Length: 10\r\n");
  EXPECT_EQ(relay("{"), relay_end::upstream_cut);
  EXPECT_FALSE(writer.keeps_connection());
  EXPECT_THAT(got, EndsWith(a_comment));
}

TEST_F(ClientWriter, AfterACommentAnAnswerThatIsTooLargeForAnEventIsNotFinished) {
  EXPECT_TRUE(comment());
  answer("Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
  std::string const body(2 * largest_whole_body, 'x');
  EXPECT_EQ(relay("80000\r\n" + body), relay_end::too_large);
  EXPECT_THAT(got, EndsWith(a_comment));
}

TEST_F(ClientWriter, AfterACommentARefusalIsAnEventAndTheConnectionGoesOn) {
  EXPECT_TRUE(comment());
  EXPECT_TRUE(reject(reason::upstream_timeout));
  EXPECT_THAT(got, AllOf(HasSubstr("data: {\"error\":"), HasSubstr("upstream_timeout"), EndsWith("\r\n0\r\n\r\n")));
  EXPECT_EQ(count(got, "HTTP/1.1"), 1U);
  EXPECT_EQ(record.line.status, 504U);
}

TEST_F(ClientWriter, AfterACommentARefusalOfTheProvidersIsAnEvent) {
  EXPECT_TRUE(comment());
  answer("Content-Length: 17\r\n", "429 Too Many Requests");
  EXPECT_TRUE(whole(R"({"error":{"a":1}})"));
  EXPECT_THAT(got, AllOf(HasSubstr("data: {\"error\":"), EndsWith("\r\n0\r\n\r\n")));
}

TEST_F(ClientWriter, AClientThatHasLeftIsNoticed) {
  front.far.close();
  EXPECT_FALSE(comment());
  EXPECT_FALSE(reject(reason::draining));
  answer("Content-Length: 0\r\n");
  EXPECT_FALSE(whole(""));
  EXPECT_EQ(relay(""), relay_end::client_gone);
}
