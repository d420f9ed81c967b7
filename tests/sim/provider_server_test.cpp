// The effects of a provider's file over the wire.
#include <gmock/gmock.h>

#include "server_fixture.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class provider_server_test : public server_test {
 protected:
  provider_settings& provider() { return options_.provider; }
  model_limits& limits() { return options_.models.front().limits; }
};

TEST_F(provider_server_test, refuses_more_at_once_than_it_has_room_for) {
  provider().concurrency = 1;
  provider().load_should_retry = false;
  options_.speed = 10;
  start();
  auto first = connect();
  send(first, "POST", "/v1/chat/completions", stream_body);
  EXPECT_TRUE(eventually_in_stats(R"("in_flight":1)"));
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("queue_exceeded"),
                                HasSubstr("x-should-retry: false\r\n"), Not(HasSubstr("retry-after"))));
  EXPECT_THAT(call("GET", "/sim/stats"), HasSubstr(R"("refusals_load":1)"));
}

TEST_F(provider_server_test, counts_a_share_of_the_input_as_cached) {
  provider().cached = 0.5;
  limits().total_factor = 3;
  start();
  const std::string long_body =
      R"({"model":"m","max_tokens":20,"messages":[{"role":"user","content":")" + std::string(400, 'x') + "\"}]}";
  EXPECT_THAT(chat(long_body), AllOf(HasSubstr(R"("prompt_tokens":100,)"), HasSubstr(R"("cached_tokens":50)"),
                                     HasSubstr("x-ratelimit-remaining-tokens-minute: 59930\r\n")));
  EXPECT_THAT(chat(long_body, "X-Sim-Cached-Tokens: 80\r\n"), HasSubstr(R"("cached_tokens":80)"));
}

TEST_F(provider_server_test, starts_with_a_spent_quota_and_refuses_without_a_code) {
  provider().spent = {{{resource::requests, window::minute}, 1}};
  provider().refusals = refusal_style::generic;
  provider().retry_after = "Wed, 21 Oct 2099 07:28:00 GMT";
  start();
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 429"), HasSubstr(R"("message":"Rate limit exceeded.")"),
                                HasSubstr(R"("code":"")"), HasSubstr(R"("type":"")"),
                                HasSubstr("retry-after: Wed, 21 Oct 2099 07:28:00 GMT\r\n")));
}

TEST_F(provider_server_test, fails_with_headers_or_without) {
  provider().failures = 1;
  start();
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 503"), Not(HasSubstr("x-ratelimit"))));
}

TEST_F(provider_server_test, finds_a_request_bad_and_tells_its_limits) {
  provider().bad_requests = 1;
  provider().headers_on_errors = true;
  start();
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("x-ratelimit-remaining-requests-minute: 3\r\n")));
}

TEST_F(provider_server_test, does_not_tell_what_was_used) {
  provider().usage_missing = 1;
  start();
  EXPECT_THAT(chat(body), AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("usage"))));
}

TEST_F(provider_server_test, tells_what_was_true_once_and_resets_that_never_are) {
  provider().headers = header_style::all_resets;
  provider().headers_stale = 1h;
  provider().reset_says = 60s;
  start();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(chat(body), AllOf(HasSubstr("x-ratelimit-remaining-requests-minute: 2\r\n"),
                                  HasSubstr("x-ratelimit-reset-requests-minute: 60.0000")));
  }
}

TEST_F(provider_server_test, answers_late) {
  provider().headers_late = {200ms, 200ms};
  start();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_THAT(chat(body), StartsWith("HTTP/1.1 200"));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 200ms);
}

TEST_F(provider_server_test, changes_its_limits_and_shares_them_with_others_as_time_goes_on) {
  options_.run = 100ms;
  provider().changes = {{1, 0.5}};
  provider().foreign = foreign_use{.tpm = 60'000, .rpm = 0, .when = {.from = 0s, .until = 1s, .every = {}}};
  start();
  std::this_thread::sleep_for(300ms);
  const auto answer = chat(body);
  EXPECT_THAT(answer, AllOf(HasSubstr("x-ratelimit-limit-tokens-minute: 30000\r\n"), StartsWith("HTTP/1.1 200"),
                            Not(HasSubstr("x-ratelimit-remaining-tokens-minute: 29977\r\n"))));
}

}  // namespace
}  // namespace cooldown::sim
