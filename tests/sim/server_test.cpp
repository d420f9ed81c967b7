#include <gmock/gmock.h>

#include "server_fixture.hpp"

namespace cooldown::sim {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST_F(server_test, answers_and_refuses) {
  start();
  for (int left = 2; left >= 0; --left) {
    EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr(R"("completion_tokens":20)"),
                                  HasSubstr(R"("prompt_tokens":3)"), HasSubstr(R"("finish_reason":"length")"),
                                  HasSubstr("x-ratelimit-remaining-requests-minute: " + std::to_string(left)),
                                  Not(HasSubstr("x-ratelimit-reset"))));
  }
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 429 Too Many Requests\r\n"), HasSubstr("retry-after: 60\r\n"),
                                Not(HasSubstr("x-ratelimit")), HasSubstr(R"("code":"request_quota_exceeded")")));
  EXPECT_THAT(call("GET", "/sim/stats"), AllOf(HasSubstr(R"("admissions":3)"), HasSubstr(R"("requests-minute":1)"),
                                               HasSubstr(R"("tokens_used":69)")));
  call("POST", "/sim/reset");
  EXPECT_THAT(chat(body), StartsWith("HTTP/1.1 200"));
}

TEST_F(server_test, refuses_with_headers_and_the_exact_time) {
  options_.provider.refusals = refusal_style::telling;
  options_.provider.refusal_headers = header_style::all_resets;
  options_.provider.retry_after.reset();
  start();
  for (int i = 0; i < 3; ++i) chat(body);
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("retry-after: 20\r\n"),
                                HasSubstr("x-ratelimit-reset-requests-minute: 59.")));
}

TEST_F(server_test, streams_with_usage_at_the_end) {
  start();
  const auto answer = chat(stream_body);
  EXPECT_THAT(answer, AllOf(HasSubstr("content-type: text/event-stream"), HasSubstr(R"("role":"assistant")"),
                            HasSubstr(R"("completion_tokens":40)"), HasSubstr(R"("time_info")"),
                            EndsWith("data: [DONE]\n\n\r\n0\r\n\r\n")));
  EXPECT_LT(answer.find("completion_tokens"), answer.find("[DONE]"));
}

TEST_F(server_test, keeps_connections_and_their_pipelined_requests) {
  start();
  auto socket = connect();
  send(socket, "GET", "/v1/tcp_warming", "", "");
  send(socket, "GET", "/v1/models", "");
  boost::system::error_code error;
  const auto answers = receive(socket, error);
  EXPECT_THAT(answers, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("{}HTTP/1.1 200"), HasSubstr(R"("id":"m")")));
}

TEST_F(server_test, has_the_errors_of_the_api) {
  options_.api_keys = {"right"};
  start();
  const std::string key = "authorization: Bearer right\r\n";
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 401"), HasSubstr(R"("code":"wrong_api_key")")));
  EXPECT_THAT(chat(body, key), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(chat("{", key), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr(R"("type":"invalid_request_error")")));
  EXPECT_THAT(chat(R"({"model":"x","messages":[]})", key),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr(R"("code":"model_not_found")"), Not(HasSubstr("ratelimit"))));
  EXPECT_THAT(call("GET", "/v1/models/x", "", key), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(call("GET", "/nowhere", "", key), StartsWith("HTTP/1.1 404"));
}

TEST_F(server_test, each_accepted_key_is_an_account_with_quotas_of_its_own) {
  options_.api_keys = {"a", "b"};
  start();
  const std::string a = "authorization: Bearer a\r\n";
  const std::string b = "authorization: Bearer b\r\n";
  call("POST", "/sim/limits", R"({"model":"m","rpm":1})", a);
  EXPECT_THAT(chat(body, a), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(chat(body, a), StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(chat(body, b), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(chat(body, b), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(call("GET", "/sim/stats", "", a), HasSubstr(R"("admissions":1)"));
  EXPECT_THAT(call("GET", "/sim/stats", "", b), HasSubstr(R"("admissions":2)"));
}

TEST_F(server_test, changes_limits_at_run_time) {
  start();
  EXPECT_THAT(call("POST", "/sim/limits", R"({"model":"m","rpm":1,"tpm":777})"), HasSubstr(R"("tpm":777)"));
  EXPECT_THAT(chat(body), HasSubstr("x-ratelimit-limit-tokens-minute: 777\r\n"));
  EXPECT_THAT(chat(body), StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(call("POST", "/sim/limits", R"({"model":"m","tpx":1})"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(call("POST", "/sim/limits", R"({"model":"x"})"), StartsWith("HTTP/1.1 400"));
}

TEST_F(server_test, replies_as_long_as_the_request_says) {
  start();
  const std::string body_without_maximum = R"({"model":"m","messages":[]})";
  EXPECT_THAT(chat(body_without_maximum, "X-Sim-Reply-Tokens: 7\r\n"), HasSubstr(R"("completion_tokens":7,)"));
  EXPECT_THAT(chat(body_without_maximum), HasSubstr(R"("completion_tokens":200,)"));
}

TEST_F(server_test, generates_as_fast_as_the_request_says) {
  start();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(chat(body, "X-Sim-Speed: 100.5\r\n"), HasSubstr(R"("completion_tokens":20)"));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds{199});
}

TEST_F(server_test, notices_a_client_that_leaves_and_refunds_the_rest) {
  options_.speed = 1000;
  options_.reply_tokens = 100000;
  start();
  {
    auto socket = connect();
    send(socket, "POST", "/v1/chat/completions", R"({"model":"m","max_tokens":50000,"stream":true,"messages":[]})");
    EXPECT_TRUE(eventually_in_stats(R"("in_flight":1)"));
    EXPECT_THAT(call("GET", "/sim/stats"), HasSubstr(R"("tokens_reserved":50000)"));
  }
  EXPECT_TRUE(eventually_in_stats(R"("aborted":1)"));
  EXPECT_THAT(call("GET", "/sim/stats"),
              AllOf(HasSubstr(R"("in_flight":0)"), Not(HasSubstr(R"("tokens_used":50000)"))));
}

TEST_F(server_test, breaks_when_told_to) {
  options_.models.front().limits = {};
  start();
  const auto faulty = [&](std::string_view content, const std::string& fault, boost::system::error_code& error) {
    auto socket = connect();
    send(socket, "POST", "/v1/chat/completions", content, "connection: close\r\nx-sim-fault: " + fault + "\r\n");
    return receive(socket, error);
  };
  boost::system::error_code error;
  EXPECT_THAT(faulty(body, "status=503", error), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(faulty(body, "load", error), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("queue_exceeded")));
  EXPECT_THAT(faulty(body, "payment", error), AllOf(StartsWith("HTTP/1.1 402"), HasSubstr("x-should-retry: false")));
  EXPECT_THAT(faulty(body, "no-usage", error), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("usage"))));
  EXPECT_THAT(faulty(body, "bad-headers", error), HasSubstr("x-ratelimit-limit-tokens-minute: 1e400"));
  EXPECT_THAT(faulty(body, "garbage", error), Not(StartsWith("HTTP")));
  EXPECT_THAT(faulty(body, "in-stream-error", error), StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(faulty(stream_body, "in-stream-error", error), HasSubstr(R"("status_code":500)"));
  EXPECT_THAT(faulty(stream_body, "bad-chunk", error), EndsWith("zz\r\n"));
  EXPECT_THAT(faulty(stream_body, "close-mid-body=0", error), Not(HasSubstr("[DONE]")));
  EXPECT_EQ(error, asio::error::eof);
  EXPECT_THAT(faulty(body, "close-mid-body", error), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("usage"))));
  EXPECT_EQ(error, asio::error::eof);
  faulty(stream_body, "reset-mid-stream=1", error);
  EXPECT_EQ(error, asio::error::connection_reset);
  EXPECT_EQ(faulty(body, "reset", error), "");
  EXPECT_EQ(error, asio::error::connection_reset);
}

TEST_F(server_test, stops_sending_headers_in_time) {
  options_.provider.headers_until = std::chrono::milliseconds{0};
  start();
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("x-ratelimit"))));
}

TEST_F(server_test, takes_a_body_it_cannot_read_as_text_for_the_first_model) {
  start();
  EXPECT_THAT(chat(std::string(400, '\x1f'), "content-encoding: gzip\r\n"), HasSubstr(R"("prompt_tokens":100,)"));
}

}  // namespace
}  // namespace cooldown::sim
