// One request through a session, from its submission to the end of its answer: what its client gets of each end that it
// can have, and that nothing is left behind.
#include "cooldown/net/exchange.hpp"

#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/net/session.hpp"

#include "lone_proxy.hpp"
#include "scripted_provider.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

namespace {

const std::string completion =
    answer_of("200 OK", "", R"({"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})");
const std::string quota_refusal = answer_of("429 Too Many Requests", "retry-after-ms: 1\r\n", "{}");

std::string post(std::string_view path, std::string_view body, std::string_view fields = "") {
  std::string out = "POST ";
  out.append(path).append(" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").append(fields);
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

std::string chat(std::string_view fields = "", bool stream = false) {
  return post("/v1/chat/completions",
              stream ? R"({"model":"m","max_tokens":5,"stream":true})" : R"({"model":"m","max_tokens":5})", fields);
}

struct Exchange : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = make_settings();
  observe::log log{settings.logging};
  std::optional<scripted_provider> provider;
  std::optional<app> shared;

  static config::settings make_settings() {
    auto s = settings_of_lone_proxy();
    s.cerebras.rpm_limit = 1'000'000;
    s.cerebras.tpm_limit = 1'000'000'000;
    s.cerebras.retries = 0;
    return s;
  }

  void begin(std::vector<std::string> answers) {
    provider.emplace(io, std::move(answers));
    settings.cerebras.base_url.port = provider->port();
    shared.emplace(io, settings, log);
  }

  /// Two clients, while the provider holds its answer to the first one. Takes `max_in_flight: 1`.
  std::pair<far_end, far_end> one_at_the_provider_and_one_waiting() {
    provider->hold();
    auto first = client_with(chat());
    until([&] { return provider->requests.size() == 1; });
    auto second = client_with(chat());
    until([&] { return shared->upstreams.first()->limiter.queue_length() == 1; });
    return {std::move(first), std::move(second)};
  }

  /// A client that has sent this.
  far_end client_with(std::string_view bytes) {
    socket_pair pair(io);
    asio::co_spawn(io, run_session(std::move(pair.near), *shared, role::proxy),
                   [](const std::exception_ptr& e) { EXPECT_FALSE(e) << "a session does not throw"; });
    EXPECT_EQ(pair.far.send(bytes), bytes.size());
    return std::move(pair.far);
  }

  void until(const std::function<bool()>& so) { EXPECT_TRUE(run_until(io, so)); }

  /// What comes until the connection ends.
  std::string answer_to(far_end& client) {
    std::string all;
    until([&] {
      all += client.read();
      return client.ended;
    });
    return all;
  }
  std::string ask(std::string_view bytes) {
    auto client = client_with(bytes);
    return answer_to(client);
  }

  void nothing_is_left() {
    until([&] { return shared->port.connections.empty(); });
    EXPECT_EQ(shared->upstreams.first()->limiter.in_flight(), 0U);
    EXPECT_EQ(shared->upstreams.first()->limiter.queue_length(), 0U);
    EXPECT_EQ(shared->upstreams.first()->held.size(), 0U);
    EXPECT_EQ(shared->port.bodies.total(), 0U);
    EXPECT_EQ(shared->telemetry.stats.requests_in_progress, 0U);
  }

  void TearDown() override {
    if (shared) nothing_is_left();
  }
};

}  // namespace

TEST_F(Exchange, AnAnswerIsPassedOnAndSettled) {
  begin({completion});
  auto const got = ask(chat());
  EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("X-RateLimit-Queue-Length: 0"), EndsWith("}}")));
  EXPECT_EQ(shared->telemetry.stats.prompt_tokens, 3U);
  EXPECT_EQ(shared->telemetry.stats.completion_tokens, 2U);
  EXPECT_EQ(shared->upstreams.first()->provider().pool.idle(), 1U);
}

TEST_F(Exchange, AQuotaRefusalIsWaitedOutAndTheClientKnowsNothingOfIt) {
  begin({quota_refusal, completion});
  EXPECT_THAT(ask(chat()), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("X-RateLimit-Delay: ")));
  EXPECT_THAT(provider->requests, SizeIs(2));
}

TEST_F(Exchange, ARefusalThatNoWaitMendsIsPassedOnWhole) {
  std::string const body = R"({"error":{"message":"pay your bill","code":"insufficient_quota"}})";
  begin({answer_of("429 Too Many Requests", "", body)});
  EXPECT_THAT(ask(chat()), AllOf(StartsWith("HTTP/1.1 429 "), EndsWith(body)));
}

TEST_F(Exchange, ARefusalThatNoWaitMendsAndThatBreaksOffIsNotPassedOn) {
  begin({"HTTP/1.1 429 Too Many Requests\r\nx-should-retry: false\r\nContent-Length: 100\r\n\r\n{<cut>"});
  EXPECT_THAT(ask(chat()),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("upstream_unavailable"), HasSubstr("Retry-After: 1\r\n")));
  EXPECT_EQ(shared->telemetry.stats.answers_cut, 1U);
}

TEST_F(Exchange, WhoeverDoesNotWaitIsToldSo) {
  settings.cerebras.limits["m"].rpm = 1;
  begin({completion});
  EXPECT_THAT(ask(chat()), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(chat("Prefer: wait=0\r\n")),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("queue_timeout"), HasSubstr("Its client does not wait.")));
  EXPECT_THAT(ask(chat("Prefer: wait=2\r\n")), HasSubstr("Its client waits at most 2 s"));
}

TEST_F(Exchange, AFailureIsRepeated) {
  settings.cerebras.retries = 1;
  begin({answer_of("503 Service Unavailable", "", "{}"), completion});
  EXPECT_THAT(ask(chat()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(shared->telemetry.stats.upstream_retries, 1U);
  EXPECT_EQ(shared->telemetry.stats.provider_failures["status"], 1U);
}

TEST_F(Exchange, AConnectionThatBreaksIsNoAnswer) {
  begin({""});
  EXPECT_THAT(ask(chat()), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("upstream_unavailable")));
  EXPECT_EQ(shared->telemetry.stats.upstream_failures, 1U);
  EXPECT_EQ(shared->telemetry.stats.provider_failures["broken"], 1U);
}

TEST_F(Exchange, AKeptConnectionThatIsGoneIsNoFailure) {
  settings.cerebras.retries = 1;
  begin({completion, "", completion});
  EXPECT_THAT(ask(chat()), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(chat()), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(shared->telemetry.stats.upstream_failures, 0U);
  EXPECT_EQ(shared->telemetry.stats.upstream_retries, 0U);
}

TEST_F(Exchange, A404OfAWrongBaseUrlIsExplainedAndCostsNothing) {
  auto const unknown = answer_of("404 Not Found", "", "{}");
  begin({unknown, unknown, completion, unknown});
  EXPECT_THAT(ask(post("/chat/completions", R"({"model":"m"})")),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("add /v1 to the client's base URL")));
  EXPECT_THAT(ask(post("/v1/chat/completions", R"({"model":"m"})")), EndsWith("\r\n\r\n{}"));
  // Once it has served such a path, the path is no mistake.
  EXPECT_THAT(ask(post("/chat/completions", R"({"model":"m"})")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(post("/chat/completions", R"({"model":"n"})")), EndsWith("\r\n\r\n{}"));
}

TEST_F(Exchange, AnAnswerThatBreaksOffIsVisiblyCut) {
  begin({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf<cut>",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz<cut>"});
  auto const half = ask(chat());
  EXPECT_THAT(half, EndsWith("half"));
  EXPECT_THAT(ask(chat()), Not(HasSubstr("\r\n0\r\n")));
  EXPECT_EQ(shared->telemetry.stats.answers_cut, 2U);
}

TEST_F(Exchange, AClientThatLeavesWhileItWaitsLeavesTheQueue) {
  settings.cerebras.queue.max_in_flight = 1;
  begin({completion});
  auto [first, second] = one_at_the_provider_and_one_waiting();
  second.close();
  until([&] { return shared->upstreams.first()->limiter.queue_length() == 0; });
  EXPECT_EQ(shared->telemetry.stats.clients_gone, 1U);
  provider->let_go();
  EXPECT_THAT(answer_to(first), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Exchange, AClientThatLeavesAmidItsAnswerEndsIt) {
  std::string const large(4 * 1024 * 1024, 'x');
  begin({answer_of("200 OK", "", large)});
  auto client = client_with(chat());
  until([&] { return !client.read(1).empty(); });
  client.close();
  until([&] { return shared->port.connections.empty(); });
  EXPECT_EQ(shared->telemetry.stats.clients_gone, 1U);
}

TEST_F(Exchange, WhoeverWaitsDuringShutdownIsToldSo) {
  settings.cerebras.queue.max_in_flight = 1;
  begin({completion});
  auto [first, second] = one_at_the_provider_and_one_waiting();
  shared->port.draining = true;
  for (auto* const c : shared->port.connections)
    if (c->where == phase::queued) c->ctl.fire(interruption::draining);
  EXPECT_THAT(answer_to(second),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("draining"), HasSubstr("Retry-After: 5")));
  provider->let_go();
  EXPECT_THAT(answer_to(first), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Exchange, WhileTheBreakerIsOpenNewcomersAreRefused) {
  settings.cerebras.circuit_breaker.failure_threshold = 1;
  begin({answer_of("500 Internal Server Error", "", "{}")});
  EXPECT_THAT(ask(chat()), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(ask(chat()), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("circuit_open")));
  EXPECT_THAT(ask("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
              HasSubstr("circuit_open"));
  EXPECT_THAT(provider->requests, SizeIs(1));
}

TEST_F(Exchange, WhoeverHasQueuedWaitsForAProviderThatIsAway) {
  settings.cerebras.queue.max_in_flight = 1;
  settings.cerebras.circuit_breaker.failure_threshold = 2;
  settings.cerebras.circuit_breaker.open_for = 50ms;
  begin({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"});
  auto [first, second] = one_at_the_provider_and_one_waiting();
  auto const port = provider->port();
  provider->close();
  provider->let_go();
  EXPECT_THAT(answer_to(first), StartsWith("HTTP/1.1 200 "));
  until([&] {
    return shared->upstreams.first()->provider().breaker.current(steady_now()) == circuit_breaker::state::half_open;
  });
  scripted_provider back(io, {completion}, port);
  EXPECT_THAT(answer_to(second), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(back.requests, SizeIs(1));
}

TEST_F(Exchange, AReloadSendsWhatWaitsToTheProviderOfNow) {
  settings.cerebras.queue.max_in_flight = 1;
  begin({completion});
  auto [first, second] = one_at_the_provider_and_one_waiting();
  scripted_provider other(io, {completion});
  settings.cerebras.base_url.port = other.port();
  shared->reconfigure(settings);
  provider->let_go();
  EXPECT_THAT(answer_to(first), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer_to(second), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(other.requests, SizeIs(1));
}

TEST_F(Exchange, WhatTheProviderDoesNotAnswerInTimeIs504) {
  settings.cerebras.timeouts.first_byte = 1ms;
  begin({completion});
  provider->hold();
  EXPECT_THAT(ask(chat()), AllOf(StartsWith("HTTP/1.1 504 "), HasSubstr("upstream_timeout")));
  EXPECT_EQ(shared->telemetry.stats.provider_failures["timeout"], 1U);
}
