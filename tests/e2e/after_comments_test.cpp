// Answers after comments, which have already committed status 200 and an event stream.
#include <memory>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

std::string chat(bool stream) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

/// What the client of a stream that waited and got comments sees of an answer, and what the proxy says of it.
struct late_answer {
  explicit late_answer(const std::string& answer, bool then_close = false)
      : upstream([=, this](auto const& r, tcp_client& c) {
          if (r.number == 0) return door.wait() && c.send(ok_response(completion()));
          return c.send(answer) && !then_close;
        }),
        p(upstream, {{"cerebras.queue.max_in_flight", "1"},
                     {"cerebras.queue.keepalive_after", "100ms"},
                     {"cerebras.timeouts.idle", "5m"},
                     {"cerebras.retries", "0"}}) {
    tcp_client first(p.port());
    first.send(chat(false));
    EXPECT_TRUE(upstream.wait_for(1));
    streaming = std::make_unique<tcp_client>(p.port());
    streaming->send(chat(true));
    EXPECT_THAT(streaming->read_until("\n\n"), HasSubstr("HTTP/1.1 200"));
    door.set();
    EXPECT_EQ(read_response(first).status, 200);
    rest = streaming->read_until("0\r\n\r\n");
  }
  ~late_answer() { door.set(1'000'000); }
  late_answer(const late_answer&) = delete;
  late_answer& operator=(const late_answer&) = delete;

  /// The data of the one event that came.
  boost::json::value data() const {
    auto const at = rest.find("data: ");
    auto const end = rest.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << rest;
    EXPECT_EQ(rest.find("data: ", at + 1), std::string::npos) << rest;
    return boost::json::parse(rest.substr(at + 6, end - at - 6));
  }
  bool goes_on() {
    streaming->send(get_request("/health"));
    return read_response(*streaming).status == 200;
  }

  event door;
  fake_upstream upstream;
  proxy p;
  std::unique_ptr<tcp_client> streaming;
  std::string rest;
};

}  // namespace

TEST(AfterComments, ErrorsAreOneEventThatSdksTakeForOne) {
  struct {
    std::string answer;
    int status;
    std::string text;
  } const cases[] = {
      {ok_response(R"({"message":"Model m does not exist","type":"not_found_error","param":"model","code":"none"})", "",
                   404),
       404, "Model m does not exist"},
      {ok_response(R"({"error":{"message":"wrapped"},"message":"wrapped"})", "", 400), 400, "wrapped"},
      {ok_response(R"({"message":"pay","type":"t","param":"","code":"payment_required"})", "x-should-retry: false\r\n",
                   429),
       429, "pay"},
      {"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>", 502, "502"},
      {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401, "401"},
      {"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: "
       "4\r\n\r\n\x1f\x8b\x08\x01",
       400, "400"},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: "
       "4\r\n\r\n\x1f\x8b\x08\x01",
       200, "200"},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 2\r\n\r\nxy", 200, "200"},
      {"HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n", 204, "204"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Type: text/event-stream\r\n\r\n", 304, "304"},
      {"HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n" + ok_response("POISON"), 204, "204"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Type: application/json\r\n\r\n" + ok_response("POISON"), 304, "304"},
  };
  for (auto const& c : cases) {
    late_answer seen(c.answer);
    auto const data = seen.data();
    EXPECT_THAT(std::string(data.at("error").at("message").as_string()), HasSubstr(c.text)) << seen.rest;
    EXPECT_EQ(data.at("status_code").as_int64(), c.status);
    EXPECT_FALSE(data.as_object().contains("message")) << "no flat copy beside it";
    EXPECT_EQ(seen.rest.find("POISON"), std::string::npos);
    EXPECT_TRUE(seen.goes_on()) << "the framing is sound: " << c.answer;
    EXPECT_EQ(seen.p.in_flight(), 0U);
  }
}

TEST(AfterComments, AnAnswerThatIsNoStreamIsOneEventAndIsPaidFor) {
  late_answer seen(ok_response(completion(30, 12)));
  EXPECT_EQ(seen.data().at("usage").at("total_tokens").as_int64(), 42) << seen.rest;
  EXPECT_TRUE(seen.goes_on());
  EXPECT_EQ(seen.p.metric("cooldown_tokens_total{kind=\"prompt\"}"), 10 + 30);
}

TEST(AfterComments, WhatCannotBePassedIsAVisibleCut) {
  late_answer seen(ok_response("{\"message\":\"" + std::string(300 * 1024, 'x') + "\"}", "", 500));
  EXPECT_EQ(seen.rest.find("data: "), std::string::npos);
  EXPECT_TRUE(seen.streaming->ends());
  EXPECT_TRUE(seen.streaming->was_reset());
  EXPECT_TRUE(eventually([&] { return seen.p.metric("cooldown_answers_cut_total") == 1; }));
  seen.p.program().wait_for_line("larger than");
  EXPECT_EQ(seen.p.in_flight(), 0U);
}

TEST(AfterComments, AnAnswerThatBreaksOffIsAVisibleCut) {
  late_answer seen("HTTP/1.1 400 Bad Request\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{\"message\":", true);
  EXPECT_EQ(seen.rest.find("data: "), std::string::npos);
  EXPECT_TRUE(seen.streaming->ends());
  EXPECT_TRUE(seen.streaming->was_reset());
  EXPECT_TRUE(eventually([&] { return seen.p.metric("cooldown_answers_cut_total") == 1; }));
}
