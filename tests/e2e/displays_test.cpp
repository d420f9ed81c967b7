// What /status, /metrics and `status` show about clients, waiting requests and the provider.
#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

std::string chat(const std::string& user, const std::string& fields = "") {
  auto const members = user.empty() ? std::string() : "\"user\":\"" + user + "\",";
  return post_request("/v1/chat/completions", "{" + members + chat_body("m", 10).substr(1), fields);
}

std::string shown_by_status_command(const proxy& p) {
  return run_to_end(COOLDOWN_PROXY_PROGRAM, {"status", "--admin", "http://127.0.0.1:" + std::to_string(p.admin_port())})
      .output;
}

}  // namespace

TEST(Displays, ClientsAndKeysHaveNames) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy const p(upstream, {{"cerebras.clients", "[{name: night batch, match: {credential: batch-key}}]"}});
  EXPECT_EQ(p.fetch(chat("", "Authorization: Bearer batch-key\r\n"), "POST").status, 200);
  EXPECT_EQ(p.fetch(chat("ann", "Authorization: Bearer another-key\r\n"), "POST").status, 200);
  EXPECT_EQ(p.fetch(chat(""), "POST").status, 200);
  auto const status = p.status();
  std::vector<std::string> clients;
  std::vector<std::string> keys;
  for (auto const& r : status.at("recent").as_array()) clients.emplace_back(r.at("client_name").as_string());
  for (auto const& s : status.at("scopes").as_array()) keys.emplace_back(s.at("key").as_string());
  EXPECT_THAT(clients, ::testing::ElementsAre("night batch", "user ann", "127.0.0.1"));
  EXPECT_THAT(keys,
              ::testing::UnorderedElementsAre("night batch", ::testing::MatchesRegex("key [0-9a-f]{6}"), "no key"));
  auto const metrics = fetch(p.admin_port(), get_request("/metrics")).body;
  EXPECT_THAT(metrics, HasSubstr("cooldown_client_requests_total{client=\"user ann\"} 1"));
  EXPECT_THAT(metrics, HasSubstr("cooldown_scope_released_requests_total{model=\"m\",credential=\"night batch\"} 1"));
}

TEST(Displays, TheKeyOfTheConfigurationIsCalledSo) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy const p(upstream, {{"cerebras.api_key", "csk-own"}});
  EXPECT_EQ(p.fetch(chat(""), "POST").status, 200);
  EXPECT_EQ(p.status().at("scopes").at(0).at("key"), "configured key");
}

TEST(Displays, WhatWaitsForTheCircuitBreakerIsSeenToWait) {
  auto const port = closed_port();
  proxy const p("http://127.0.0.1:" + std::to_string(port), {{"cerebras.circuit_breaker.failure_threshold", "3"},
                                                             {"cerebras.queue.max_in_flight", "2"},
                                                             {"cerebras.retries", "10"}});
  auto upstream = std::make_unique<fake_upstream>(
      [](auto const&, tcp_client& c) {
        c.read_some();
        return false;
      },
      port);
  std::vector<tcp_client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat("u" + std::to_string(i)));
  }
  ASSERT_TRUE(upstream->wait_for(2));
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 3; }));
  upstream.reset();
  // The two that were sent are repeated, in vain; then all five wait for the same.
  ASSERT_TRUE(
      eventually([&] { return p.status().at("circuit_breaker").at("state") == "OPEN" && p.queue_length() == 5; }));
  auto const status = p.status();
  EXPECT_EQ(p.in_flight(), 0U);
  auto const& scope = status.at("scopes").at(0);
  EXPECT_EQ(scope.at("queued").to_number<int>(), 5);
  EXPECT_EQ(scope.at("waiting").as_array().size(), 5U);
  for (auto const& t : scope.at("waiting").as_array()) {
    EXPECT_EQ(t.at("held_by").at("code"), "circuit_breaker");
    EXPECT_NEAR(t.at("expected_in_seconds").to_number<double>(), 60, 15) << "when the breaker lets one try";
  }
  auto const& provider = status.at("upstream");
  EXPECT_GE(provider.at("recent").at("failures").to_number<int>(), 3);
  EXPECT_THAT(std::string(provider.at("last_failure").at("cause").as_string()), HasSubstr("refused"));
  EXPECT_THAT(shown_by_status_command(p), HasSubstr("5 waiting, 0 at the provider"));
  EXPECT_THAT(shown_by_status_command(p), HasSubstr("refused"));
}
