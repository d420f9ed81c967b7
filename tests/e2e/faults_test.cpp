// Faults of the provider and the network: refusals, failures, silence.
#include <csignal>

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

namespace {

std::string chat(bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

const std::string load_refusal = ok_response(
    R"({"message":"We're experiencing high traffic right now! Please try again soon.","type":"too_many_requests_error",)"
    R"("param":"queue","code":"queue_exceeded"})",
    "", 429);

const std::string payment_refusal = ok_response(
    R"({"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"})",
    "retry-after: 60\r\n", 429);

}  // namespace

TEST(ProviderRefusal, QuotaWithRetryAfterAloneIsHidden) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.number == 0 ? quota_refusal("retry-after: 2\r\n") : ok_response(completion()));
  });
  proxy p(upstream);
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("retry-after"), "");
  EXPECT_GE(std::stod(r.field("X-RateLimit-Delay")), 2.0);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 2s) << "the provider's word is obeyed";
  EXPECT_EQ(seen[0].body, seen[1].body) << "the body was kept";
}

TEST(ProviderRefusal, QuotaBeyondTheMaximumWaitIsPassedOn) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(quota_refusal("retry-after: 60\r\n")); });
  proxy p(upstream);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=3\r\n"));
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(upstream.count(), 1U);
  EXPECT_EQ(boost::json::parse(r.body).at("code").as_string(), "token_quota_exceeded");
}

TEST(ProviderRefusal, LoadBacksOffAndPasses) {
  fake_upstream upstream(
      [](auto const& r, tcp_client& c) { return c.send(r.number == 0 ? load_refusal : ok_response(completion())); });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).status, 200);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 100ms) << "a pause";
}

TEST(ProviderRefusal, LoadThatOutlastsTheWaitIsPassedOn) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(load_refusal); });
  proxy p(upstream, {{"cerebras.retries", "0"}});
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=2\r\n"));
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(boost::json::parse(r.body).at("code").as_string(), "queue_exceeded");
  EXPECT_EQ(upstream.count(), 2U) << "after 0.1 s, and the next try would come too late";
}

TEST(ProviderRefusal, TheReasonOfAWaitForCapacityIsTold) {
  fake_upstream upstream(
      [](auto const& r, tcp_client& c) { return c.send(r.number == 0 ? load_refusal : ok_response(completion())); });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).field("x-ratelimit-delay-reason"), "capacity");
}

TEST(ProviderRefusal, PaymentPassesAtOnce) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(payment_refusal); });
  proxy p(upstream);
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 429);
  EXPECT_EQ(ok_response(r.body, "retry-after: 60\r\n", 429), payment_refusal) << "byte for byte";
  EXPECT_EQ(r.field("retry-after"), "60");
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(ProviderRefusal, ShouldRetryFalsePassesAtOnce) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(quota_refusal("x-should-retry: false\r\n")); });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).status, 429);
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(ProviderRefusal, ATimeToRetryOutweighsShouldRetryFalse) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.number == 0 ? quota_refusal("retry-after: 1\r\nx-should-retry: false\r\n")
                                : ok_response(completion()));
  });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).status, 200);
}

TEST(ProviderRefusal, CutShortIsNotPassedOnAsWhole) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nContent-Length: 500\r\n\r\n"
        R"({"message":"You exceeded)");
    return false;
  });
  proxy p(upstream);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=3\r\n"));
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("x-ratelimit-reason"), "upstream_unavailable");
  EXPECT_EQ(r.field("retry-after"), "7");
}

TEST(ProviderRefusal, OfAnUnmeteredRequestIsItsClients) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(quota_refusal("retry-after: 1\r\n")); });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 429);
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Retry, UnavailableThenFineIsUnseen) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.number < 2 ? ok_response("{}", "", r.number == 0 ? 503 : 502) : ok_response(completion()));
  });
  proxy p(upstream);
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, completion());
  EXPECT_EQ(upstream.count(), 3U);
  EXPECT_EQ(p.metric("cooldown_upstream_retries_total"), 2);
  EXPECT_EQ(p.in_flight(), 0U);
}

TEST(Retry, LastFailureIsPassedOn) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response("{\"n\":" + std::to_string(r.number) + "}", "", 503));
  });
  for (unsigned const retries : {0U, 1U}) {
    auto const before = upstream.count();
    proxy p(upstream, {{"cerebras.retries", std::to_string(retries)}});
    auto const r = p.fetch(chat());
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(upstream.count() - before, 1 + retries);
    EXPECT_EQ(r.body, "{\"n\":" + std::to_string(upstream.count() - 1) + "}");
  }
}

TEST(Retry, ServerErrorsOfOtherKindsPass) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 500)); });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).status, 500);
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Retry, ConnectionRefusedThenUp) {
  auto const port = closed_port();
  proxy p("http://127.0.0.1:" + std::to_string(port), {{"cerebras.retries", "6"}});
  tcp_client c(p.port());
  c.send(chat());
  p.program().wait_for_line("upstream: connecting to 127.0.0.1");
  fake_upstream upstream([](auto const&, tcp_client& to) { return to.send(ok_response(completion())); }, port);
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Retry, ConnectionRefusedForGoodIs503) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), {{"cerebras.retries", "1"}});
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_unavailable");
  EXPECT_NE(r.field("Retry-After"), "");
  EXPECT_EQ(p.in_flight(), 0U) << "its reservation went with it";
}

namespace {

/// Answers once on each connection, then drops it when the next request has come, without a byte.
bool answer_once(const fake_upstream::seen_request& r, tcp_client& c, std::map<int, int>& on_connection) {
  return ++on_connection[r.connection] == 1 && c.send(ok_response("\"fine\""));
}

}  // namespace

TEST(Retry, DyingIdleConnectionMeteredIsRepeated) {
  std::map<int, int> on_connection;
  std::mutex mutex;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    std::lock_guard const lock(mutex);
    return answer_once(r, c, on_connection);
  });
  proxy p(upstream, {{"cerebras.retries", "2"}});
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(upstream.count(), 3U);
  EXPECT_EQ(upstream.connections(), 2);
}

TEST(Retry, DyingIdleConnectionIsNeitherARepeatNorAFailure) {
  for (auto const& request : {chat(), get_request("/v1/models")}) {
    std::map<int, int> on_connection;
    std::mutex mutex;
    fake_upstream upstream([&](auto const& r, tcp_client& c) {
      std::lock_guard const lock(mutex);
      return answer_once(r, c, on_connection);
    });
    proxy p(upstream, {{"cerebras.retries", "0"}, {"cerebras.circuit_breaker.failure_threshold", "1"}});
    for (int i = 0; i < 4; ++i) {
      auto const r = p.fetch(request);
      EXPECT_EQ(r.status, 200) << request;
      EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
      std::this_thread::sleep_for(150ms);  // so long that it counts as rest: here time itself is the behaviour
    }
    EXPECT_EQ(upstream.connections(), 4);
    EXPECT_EQ(p.metric("cooldown_upstream_retries_total"), 0);
    EXPECT_EQ(p.metric("cooldown_upstream_failures_total"), 0);
  }
}

TEST(Retry, KeptConnectionsThatAllDiedDoNotOpenTheBreaker) {
  event arrived;
  std::atomic<bool> restarted{false};
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (restarted && r.connection < 5) {
      c.reset();
      return false;
    }
    arrived.set();
    return arrived.wait(5) && c.send(ok_response(completion()));
  });
  release_at_end const release(arrived);
  proxy p(upstream, {{"cerebras.retries", "1"}});
  auto const five = [&] {
    std::vector<tcp_client> clients;
    for (int i = 0; i < 5; ++i) {
      clients.emplace_back(p.port());
      clients.back().send(chat());
    }
    for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  };
  five();
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_upstream_connections_idle") == 5; }));
  restarted = true;
  five();
  EXPECT_EQ(p.fetch(chat()).field("X-CircuitBreaker-Failures"), "0");
  EXPECT_EQ(p.metric("cooldown_upstream_retries_total"), 0);
}

TEST(Retry, AFreshConnectionThatBreaksIsAFailure) {
  fake_upstream upstream([](auto const&, tcp_client&) { return false; });
  proxy p(upstream, {{"cerebras.retries", "0"}});
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "1");
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Retry, AKeptConnectionThatBreaksInMidHeadIsAFailure) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    if (r.number == 0) return c.send(ok_response(completion()));
    c.send("HTTP/1.1 200 OK\r\nContent-Le");
    return false;
  });
  proxy p(upstream, {{"cerebras.retries", "0"}});
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(p.fetch(chat()).field("X-CircuitBreaker-Failures"), "1");
  EXPECT_EQ(upstream.count(), 2U);
}

TEST(Retry, DyingIdleConnectionPostIsNeverRepeated) {
  std::map<int, int> on_connection;
  std::mutex mutex;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    std::lock_guard const lock(mutex);
    return answer_once(r, c, on_connection);
  });
  proxy p(upstream, {{"cerebras.retries", "5"}});
  EXPECT_EQ(p.fetch(post_request("/v1/files", "abc")).status, 200);
  EXPECT_EQ(p.fetch(post_request("/v1/files", "abc")).status, 503);
  EXPECT_EQ(upstream.count(), 2U);
}

TEST(Retry, DyingIdleConnectionGetIsRepeated) {
  std::map<int, int> on_connection;
  std::mutex mutex;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    std::lock_guard const lock(mutex);
    return answer_once(r, c, on_connection);
  });
  proxy p(upstream, {{"cerebras.retries", "2"}});
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_EQ(upstream.count(), 3U);
}

TEST(Retry, HalfAHeadIsRepeatedWhenMetered) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    if (r.number > 0) return c.send(ok_response(completion()));
    c.send("HTTP/1.1 200 OK\r\nContent-Le");
    return false;
  });
  proxy p(upstream);
  EXPECT_EQ(p.fetch(chat()).status, 200) << "nothing of it had gone to the client";
  EXPECT_EQ(upstream.count(), 2U);
}

TEST(Retry, ClientThatLeavesDuringThePauseEndsIt) {
  event refused;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(ok_response("{}", "retry-after: 8\r\n", 503));
    refused.set();
    return true;
  });
  proxy p(upstream);
  {
    tcp_client c(p.port());
    c.send(chat());
    ASSERT_TRUE(refused.wait());
  }
  EXPECT_TRUE(eventually([&] { return p.in_flight() == 0; }, 5s));
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(CircuitBreaker, OpensHalfOpensAndCloses) {
  std::atomic<bool> well{false};
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    return c.send(well ? ok_response(completion()) : ok_response("{}", "", 500));
  });
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "3"},
                     {"cerebras.circuit_breaker.open_for", "2s"},
                     {"cerebras.circuit_breaker.half_open_requests", "1"}});
  auto const state = [&] { return std::string(p.status().at("circuit_breaker").at("state").as_string()); };
  for (int i = 1; i <= 3; ++i) {
    auto const r = p.fetch(chat());
    EXPECT_EQ(r.status, 500);
    EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), std::to_string(i));
  }
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "circuit_open");
  EXPECT_EQ(r.field("X-CircuitBreaker-State"), "OPEN");
  EXPECT_THAT(std::stoi(r.field("Retry-After")), AllOf(Ge(1), Le(2)));
  EXPECT_EQ(upstream.count(), 3U) << "left alone";
  EXPECT_EQ(p.in_flight(), 0U);
  EXPECT_EQ(fetch(p.admin_port(), get_request("/readyz")).status, 503);
  EXPECT_EQ(fetch(p.admin_port(), get_request("/healthz")).status, 200);
  well = true;
  ASSERT_TRUE(eventually([&] { return state() == "HALF_OPEN"; }));
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(state(), "CLOSED");
  EXPECT_EQ(fetch(p.admin_port(), get_request("/readyz")).status, 200);
}

TEST(CircuitBreaker, FailedTrialOpensItAgain) {
  fake_upstream upstream([&](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 500)); });
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "1"},
                     {"cerebras.circuit_breaker.open_for", "1s"},
                     {"cerebras.circuit_breaker.half_open_requests", "3"}});
  auto const state = [&] { return std::string(p.status().at("circuit_breaker").at("state").as_string()); };
  EXPECT_EQ(p.fetch(chat()).status, 500);
  ASSERT_TRUE(eventually([&] { return state() == "HALF_OPEN"; }));
  EXPECT_EQ(p.fetch(chat()).status, 500);
  EXPECT_EQ(state(), "OPEN");
}

TEST(CircuitBreaker, AbandonedTrialMakesRoomForAnother) {
  event never;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 1) return never.wait();
    return c.send(r.number == 0 ? ok_response("{}", "", 500) : ok_response(completion()));
  });
  release_at_end const release(never);
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "1"},
                     {"cerebras.circuit_breaker.open_for", "300ms"},
                     {"cerebras.circuit_breaker.half_open_requests", "1"}});
  auto const state = [&] { return std::string(p.status().at("circuit_breaker").at("state").as_string()); };
  EXPECT_EQ(p.fetch(chat()).status, 500);
  ASSERT_TRUE(eventually([&] { return state() == "HALF_OPEN"; }));
  {
    tcp_client trial(p.port());
    trial.send(chat());
    ASSERT_TRUE(upstream.wait_for(2));
    EXPECT_EQ(p.fetch(chat()).field("X-RateLimit-Reason"), "circuit_open") << "one trial at a time";
  }
  ASSERT_TRUE(eventually([&] { return p.in_flight() == 0; }));
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(state(), "CLOSED");
}

TEST(CircuitBreaker, ThresholdZeroNeverOpens) {
  fake_upstream upstream([&](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 500)); });
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "0"}});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(p.fetch(chat()).status, 500);
  EXPECT_EQ(upstream.count(), 10U);
}

TEST(CircuitBreaker, WhatTheRequestCausedIsNoFailure) {
  for (int const status : {400, 501, 505}) {
    fake_upstream upstream([&](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", status)); });
    proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "2"}});
    for (int i = 0; i < 5; ++i) {
      auto const r = p.fetch(chat());
      EXPECT_EQ(r.status, status);
      EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
    }
  }
}

TEST(CircuitBreaker, UnmeteredRequestsOpenItForNobody) {
  event never;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    auto const is = [&](const char* text) { return r.head.find(text) != std::string::npos; };
    if (is("/failing")) return c.send(ok_response("{}", "", 500));
    if (is("/odd")) return c.send("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    if (is("/cut")) return false;
    if (is("/silent")) return never.wait();
    return c.send(ok_response(completion()));
  });
  release_at_end const release(never);
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "1"},
                     {"cerebras.timeouts.first_byte", "300ms"},
                     {"cerebras.retries", "0"}});
  EXPECT_EQ(p.fetch("FOO /v1/failing HTTP/1.1\r\nHost: h\r\n\r\n").status, 500);
  EXPECT_EQ(p.fetch(get_request("/v1/odd")).status, 502);
  EXPECT_EQ(p.fetch(get_request("/v1/cut")).status, 503);
  EXPECT_EQ(p.fetch(get_request("/v1/silent")).status, 504);
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
}

TEST(CircuitBreaker, UnmeteredRequestsSeeThatNobodyIsThereOrSomebodyIsAgain) {
  auto const port = closed_port();
  proxy p("http://127.0.0.1:" + std::to_string(port), {{"cerebras.circuit_breaker.failure_threshold", "1"},
                                                       {"cerebras.circuit_breaker.open_for", "300ms"},
                                                       {"cerebras.circuit_breaker.half_open_requests", "1"},
                                                       {"cerebras.retries", "0"}});
  auto const state = [&] { return std::string(p.status().at("circuit_breaker").at("state").as_string()); };
  EXPECT_EQ(p.fetch(get_request("/v1/models")).field("X-RateLimit-Reason"), "upstream_unavailable");
  EXPECT_EQ(state(), "OPEN");
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); }, port);
  ASSERT_TRUE(eventually([&] { return state() == "HALF_OPEN"; }));
  EXPECT_EQ(p.fetch(get_request("/v1/models")).status, 200);
  EXPECT_EQ(state(), "CLOSED");
}

TEST(CircuitBreaker, ALateVerdictDoesNotCount) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0) return door.wait() && c.send(ok_response("{}", "", 500));
    return c.send(r.number == 1 ? ok_response("{}", "", 500) : ok_response(completion()));
  });
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.circuit_breaker.failure_threshold", "1"},
                     {"cerebras.circuit_breaker.open_for", "300ms"},
                     {"cerebras.circuit_breaker.half_open_requests", "1"}});
  auto const state = [&] { return std::string(p.status().at("circuit_breaker").at("state").as_string()); };
  tcp_client early(p.port());
  early.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  EXPECT_EQ(p.fetch(chat()).status, 500);
  ASSERT_TRUE(eventually([&] { return state() == "HALF_OPEN"; }));
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(state(), "CLOSED");
  door.set();
  EXPECT_EQ(read_response(early).status, 500);
  EXPECT_EQ(state(), "CLOSED") << "it had begun before the others";
}

TEST(Timeout, NoAnswerIs504AndNotRepeated) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p(upstream, {{"cerebras.timeouts.first_byte", "500ms"}});
  auto const start = std::chrono::steady_clock::now();
  auto const r = p.fetch(chat());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 500ms);
  EXPECT_EQ(r.status, 504);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_timeout");
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Timeout, SilenceInMidBodyCuts) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    return never.wait();
  });
  release_at_end const release(never);
  proxy p(upstream, {{"cerebras.timeouts.idle", "500ms"}});
  auto const r = p.fetch(chat(true));
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.body, "a");
  EXPECT_FALSE(r.complete);
}

TEST(Timeout, SilenceIsMeasuredFromTheLastByte) {
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Three times as long as the limit all together: here time itself is the behaviour.
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(300ms);
      if (!c.send("1\r\na\r\n")) return false;
    }
    return c.send("0\r\n\r\n");
  });
  proxy p(upstream, {{"cerebras.timeouts.idle", "1s"}, {"cerebras.timeouts.first_byte", "1s"}});
  auto const r = p.fetch(chat(true));
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "aaaaaaaaaa");
}

TEST(Timeout, UnfinishedHeadIs408) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), {{"server.header_timeout", "400ms"}});
  tcp_client c(p.port());
  c.send("GET /v1/models HTTP/1.1\r\nHost: h\r\n");
  auto const r = read_response(c);
  EXPECT_EQ(r.status, 408);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "request_timeout");
  EXPECT_TRUE(c.ends());
}

TEST(Timeout, TrickledHeadGetsNoExtraTime) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), {{"server.header_timeout", "1s"}});
  tcp_client c(p.port());
  c.send("GET /v1/models HTTP/1.1\r\n");
  std::string answer;
  int sent = 0;
  for (; sent < 100 && answer.empty(); ++sent) {
    c.send("X-Field: a\r\n");
    answer = c.read_some(100ms);
  }
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 408"));
  EXPECT_LT(sent, 100);
}

TEST(Timeout, UnfinishedBodyIs408) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.body_timeout", "400ms"}});
  for (std::string const framing :
       {"Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    tcp_client c(p.port());
    c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\n" + framing);
    EXPECT_EQ(read_response(c).status, 408) << framing;
    EXPECT_TRUE(c.ends());
  }
  EXPECT_EQ(upstream.count(), 0U);
}

TEST(Timeout, TrickledBodyGetsNoExtraTime) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.body_timeout", "1s"}});
  std::string const counted = "Content-Length: 1000000\r\n\r\n";
  std::string const chunked = "Transfer-Encoding: chunked\r\n\r\n";
  struct {
    std::string start;
    std::string piece;
  } const cases[] = {{counted, "a"},
                     {chunked, "1\r\na\r\n"},
                     {chunked + "1", ";a"},
                     {chunked + "100000\r\n", "a"},
                     {chunked + "1\r\na\r\n0\r\n", "a: b\r\n"}};
  for (auto const& one : cases) {
    tcp_client c(p.port());
    c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\n" + one.start);
    std::string answer;
    int sent = 0;
    for (; sent < 100 && answer.empty(); ++sent) {
      c.send(one.piece);
      answer = c.read_some(100ms);
    }
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 408")) << one.start;
    EXPECT_LT(sent, 100) << one.start;
  }
  EXPECT_EQ(upstream.count(), 0U);
}

TEST(Timeout, ABodyThatHasComeInPartBuysNoEndlessTrickle) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.body_timeout", "1s"}});
  tcp_client c(p.port());
  c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + std::string(900'000, 'x'));
  std::string answer;
  int sent = 0;
  for (; sent < 100 && answer.empty(); ++sent) {
    c.send("a");
    answer = c.read_some(100ms);
  }
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 408"));
}

TEST(Timeout, ABodyThatComesSteadilyMayTakeLong) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("{}")); });
  proxy p(upstream, {{"server.body_timeout", "1s"}});
  tcp_client c(p.port());
  std::string const piece(4096, 'x');
  c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: 49152\r\n\r\n");
  // More than twice the limit all together: here time itself is the behaviour.
  for (int i = 0; i < 12; ++i) {
    std::this_thread::sleep_for(200ms);
    ASSERT_TRUE(c.send(piece));
  }
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(upstream.seen().at(0).body.size(), 49'152U);
}

TEST(Timeout, ATrickledRefusalOfTheProviderEnds) {
  for (std::string const word : {"x-should-retry: false\r\n", "retry-after: 1\r\n", ""}) {
    SCOPED_TRACE(word);
    event gone;
    fake_upstream upstream([&](auto const&, tcp_client& c) {
      c.send("HTTP/1.1 429 Too Many Requests\r\n" + word + "Content-Length: 100000\r\n\r\n");
      for (int i = 0; i < 100 && c.read_some(100ms).empty(); ++i)
        if (c.was_closed() || c.was_reset() || !c.send(" ")) {
          gone.set();
          return false;
        }
      return false;
    });
    proxy p(upstream, {{"cerebras.timeouts.idle", "1s"}, {"cerebras.retries", "0"}});
    auto const r = p.fetch(chat());
    EXPECT_EQ(r.status, 503);
    EXPECT_TRUE(gone.wait(1, 5s)) << "the proxy gave it up while it was still coming";
    EXPECT_EQ(upstream.count(), 1U);
    EXPECT_EQ(p.status().at("queue").at("length").as_int64(), 0);
  }
}

TEST(Timeout, ChunkExtensionsOfTheProviderAreSilence) {
  event gone;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1");
    for (int i = 0; i < 100 && c.read_some(100ms).empty(); ++i)
      if (c.was_closed() || c.was_reset() || !c.send(";a")) {
        gone.set();
        return false;
      }
    return false;
  });
  proxy p(upstream, {{"cerebras.timeouts.idle", "1s"}});
  auto const r = p.fetch(chat(true));
  EXPECT_EQ(r.body, "a");
  EXPECT_FALSE(r.complete);
  EXPECT_TRUE(gone.wait(1, 5s));
}

TEST(Timeout, IdleClientConnectionIsClosed) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()),
          {{"server.idle_timeout", "400ms"}, {"server.header_timeout", "300ms"}});
  tcp_client c(p.port());
  c.send(get_request("/health"));
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(c.read_all(), "");
  EXPECT_TRUE(c.was_closed());
  tcp_client silent(p.port());
  EXPECT_EQ(silent.read_all(), "") << "one that never says anything gets no answer";
  EXPECT_TRUE(silent.was_closed());
}

TEST(Timeout, ClientThatTakesNothingIsGivenUp) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string const piece = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
    while (c.send(piece)) continue;
    return false;
  });
  proxy p(upstream, {{"server.body_timeout", "500ms"}});
  tcp_client c(p.port());
  c.send(get_request("/v1/x"));
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_clients_gone_total") == 1; }));
  EXPECT_TRUE(eventually([&] { return p.metric("cooldown_requests_in_progress") == 0; }));
}

TEST(Timeout, HangingConnectIs503) {
  // A listener whose queue is full: the kernel drops what else comes.
  int const listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&a), size), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size), 0);
  tcp_client const fills(ntohs(a.sin_port));
  proxy p("http://127.0.0.1:" + std::to_string(ntohs(a.sin_port)),
          {{"cerebras.timeouts.connect", "500ms"}, {"cerebras.retries", "0"}});
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "upstream_unavailable");
  p.program().wait_for_line("timed out");
  ::close(listener);
}
