// A reload that changes the provider or its key, while requests are on their way: what is sent afterwards goes to the
// provider of then with its key, and no key goes to another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace {

std::string chat(const std::string& fields = "") {
  return post_request("/v1/chat/completions", chat_body(), fields);
}

std::string url_of(const fake_upstream& u) {
  return "http://127.0.0.1:" + std::to_string(u.port());
}

std::vector<std::string> heads_of(const fake_upstream& u) {
  std::vector<std::string> out;
  for (auto const& r : u.seen()) out.push_back(r.head);
  return out;
}

/// Everything that it saw is for it.
void expect_own(const fake_upstream& u, const std::string& key) {
  EXPECT_THAT(heads_of(u), Each(HasSubstr("Authorization: Bearer " + key + "\r\n")));
  EXPECT_THAT(heads_of(u), Each(HasSubstr("Host: 127.0.0.1:" + std::to_string(u.port()) + "\r\n")));
}

/// The first provider answers its n-th request when the door has been opened n times; the second answers at once.
struct ProviderChange : ::testing::Test {
  event door;
  fake_upstream first{[this](auto const& r, tcp_client& c) {
    return door.wait(static_cast<std::size_t>(r.number) + 1) && c.send(ok_response(completion()));
  }};
  fake_upstream second{[](auto const&, tcp_client& c) { return c.send(ok_response(completion())); }};
  release_at_end release{door};

  /// A proxy with one request at the provider and `waiting` behind it, which came with these fields.
  std::vector<tcp_client> fill(const proxy& p, std::size_t waiting, const std::string& fields = "") {
    auto const before = first.count();
    std::vector<tcp_client> clients;
    for (std::size_t i = 0; i <= waiting; ++i) {
      clients.emplace_back(p.port());
      clients.back().send(chat(fields));
      EXPECT_TRUE(eventually([&] { return p.in_flight() == 1 && p.queue_length() == i; }));
    }
    EXPECT_TRUE(first.wait_for(before + 1));
    return clients;
  }
};

const values one_at_a_time{{"cerebras.queue.max_in_flight", "1"}};

values with(values v, const values& more) {
  v.insert(more.begin(), more.end());
  return v;
}

}  // namespace

TEST_F(ProviderChange, QueuedRequestsGoToTheNewProviderWithItsKey) {
  proxy p(first, with(one_at_a_time, {{"cerebras.api_key", "key-a"}}));
  auto clients = fill(p, 3);
  p.reload(with(one_at_a_time, {{"cerebras.base_url", url_of(second) + "/prefix"}, {"cerebras.api_key", "key-b"}}));
  door.set();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(first.count(), 1U);
  EXPECT_EQ(second.count(), 3U);
  expect_own(first, "key-a");
  expect_own(second, "key-b");
  EXPECT_THAT(heads_of(second), Each(HasSubstr("POST /prefix/v1/chat/completions HTTP/1.1\r\n")));
}

TEST_F(ProviderChange, AKeyThatWasReplacedIsNotUsedAgain) {
  proxy p(first, with(one_at_a_time, {{"cerebras.api_key", "revoked"}}));
  auto clients = fill(p, 2);
  p.reload(with(one_at_a_time, {{"cerebras.api_key", "fresh"}}));
  door.set(3);
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  auto const seen = heads_of(first);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_THAT(seen[0], HasSubstr("Bearer revoked"));
  EXPECT_THAT(seen[1] + seen[2], Not(HasSubstr("revoked")));
}

TEST_F(ProviderChange, UploadsGoToTheNewProviderWithItsKey) {
  proxy p(second, {{"cerebras.api_key", "key-b"}});
  std::vector<tcp_client> clients;
  for (auto const& request : {chat(), post_request("/v1/files", "abc")}) {
    clients.emplace_back(p.port());
    clients.back().send(request.substr(0, request.size() - 1));
  }
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_connections_open") >= 2; }));
  // Both heads have been read when a request behind them is answered.
  EXPECT_EQ(p.fetch(get_request("/health")).status, 200);
  p.reload({{"cerebras.base_url", url_of(first)}, {"cerebras.api_key", "key-a"}});
  door.set(2);
  clients[0].send("}");
  clients[1].send("c");
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(first.count(), 2U);
  EXPECT_EQ(second.count(), 0U);
  expect_own(first, "key-a");
}

TEST_F(ProviderChange, ARepeatGoesToTheNewProviderWithItsKey) {
  fake_upstream failing(
      [](auto const&, tcp_client& c) { return c.send(ok_response("{}", "retry-after: 3\r\n", 503)); });
  proxy p(failing, {{"cerebras.api_key", "key-a"}});
  tcp_client c(p.port());
  c.send(chat());
  ASSERT_TRUE(failing.wait_for(1));
  p.reload({{"cerebras.base_url", url_of(second)}, {"cerebras.api_key", "key-b"}});
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(failing.count(), 1U);
  expect_own(second, "key-b");
}

TEST_F(ProviderChange, WhoWaitsForTheBreakerGoesToTheNewProviderWithItsKey) {
  fake_upstream failing(
      [this](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response("{}", "", 500)); });
  auto const quick = with(one_at_a_time, {{"cerebras.circuit_breaker.failure_threshold", "1"},
                                          {"cerebras.circuit_breaker.open_for", "2s"}});
  proxy p(failing, with(quick, {{"cerebras.api_key", "key-a"}}));
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 2; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == i + 1; }));
  }
  ASSERT_TRUE(failing.wait_for(1));
  door.set();
  EXPECT_EQ(read_response(clients[0]).status, 500);
  p.reload(with(quick, {{"cerebras.base_url", url_of(second)}, {"cerebras.api_key", "key-b"}}));
  EXPECT_EQ(read_response(clients[1]).status, 200);
  EXPECT_EQ(failing.count(), 1U);
  expect_own(second, "key-b");
}

TEST_F(ProviderChange, AClientsOwnKeyStaysWithTheProviderItWasSentFor) {
  proxy p(first, one_at_a_time);
  for (auto const* const field : {"Authorization: Bearer client-a\r\n", "x-api-key: client-a\r\n"}) {
    auto clients = fill(p, 1, field);
    p.reload(with(one_at_a_time, {{"cerebras.base_url", url_of(second)}}));
    door.set();
    EXPECT_EQ(read_response(clients[0]).status, 200) << "it had been sent";
    auto const r = read_response(clients[1]);
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "provider_changed");
    EXPECT_NE(r.field("Retry-After"), "");
    EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
    EXPECT_THAT(heads_of(second), IsEmpty());
    p.reload(one_at_a_time);
  }
  auto clients = fill(p, 1);
  p.reload(with(one_at_a_time, {{"cerebras.base_url", url_of(second)}}));
  door.set();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200) << "without a key there is nothing to keep";
  EXPECT_EQ(second.count(), 1U);
  EXPECT_EQ(p.in_flight(), 0U);
}

TEST_F(ProviderChange, ATokenForTheProxyDoesNotBecomeAKey) {
  proxy p(first, with(one_at_a_time, {{"cerebras.api_key", "key-a"}, {"server.auth_tokens", "[token-of-ours]"}}));
  auto clients = fill(p, 1, "Authorization: Bearer token-of-ours\r\n");
  p.reload(with(one_at_a_time, {{"cerebras.base_url", url_of(second)}}));
  door.set();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_THAT(heads_of(first), Each(Not(HasSubstr("token-of-ours"))));
  EXPECT_THAT(heads_of(second), Each(Not(HasSubstr("token-of-ours"))));
}

TEST_F(ProviderChange, AnAnswerKeepsToTheTimeLimitsThatItsRequestBeganWith) {
  event rest;
  fake_upstream slow([&](auto const& r, tcp_client& c) {
    if (r.number == 0) door.wait();
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    return rest.wait() && c.send("1\r\nb\r\n0\r\n\r\n");
  });
  release_at_end const release_too(rest);
  proxy p(slow, {{"cerebras.timeouts.idle", "10m"}});
  tcp_client early(p.port());
  early.send(chat());
  ASSERT_TRUE(slow.wait_for(1));
  p.reload({{"cerebras.timeouts.idle", "300ms"}});
  door.set();
  EXPECT_NE(early.read_until("\r\na\r\n"), "");
  EXPECT_FALSE(p.fetch(chat()).complete) << "cut by the limit of now, which is over for the first one, too";
  rest.set();
  EXPECT_EQ(early.read_until("\r\n0\r\n\r\n"), "1\r\nb\r\n0\r\n\r\n");
}

TEST_F(ProviderChange, NoRequestLeavesThePathOfBaseUrl) {
  auto const url = url_of(second) + "/tenant/gateway";
  proxy p(first, with(one_at_a_time, {{"cerebras.base_url", url}, {"cerebras.api_key", "key"}}));
  for (auto const* const path :
       {"/../admin", "/%2e%2e/admin", "/v1/..%2f..%5cadmin", "/..;/admin", "/%252E%252e/admin"}) {
    auto const r = p.fetch(get_request(path));
    EXPECT_EQ(r.status, 400) << path;
    EXPECT_THAT(r.body, HasSubstr("cerebras.base_url")) << path;
  }
  EXPECT_EQ(second.count(), 0U);
  EXPECT_EQ(p.fetch(get_request("/v1/./models?x=/../y")).status, 200);
  EXPECT_THAT(heads_of(second), Each(HasSubstr("GET /tenant/gateway/v1/./models?x=/../y HTTP/1.1\r\n")));
}

TEST_F(ProviderChange, ARequestThatWaitedDoesNotLeaveThePathOfTheNewBaseUrl) {
  proxy p(first, with(one_at_a_time, {{"cerebras.api_key", "key"}}));
  auto clients = fill(p, 0);
  clients.emplace_back(p.port());
  clients.back().send(post_request("/x/../v1/chat/completions", chat_body()));
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  p.reload(with(one_at_a_time, {{"cerebras.api_key", "key"}, {"cerebras.base_url", url_of(second) + "/tenant"}}));
  door.set();
  EXPECT_EQ(read_response(clients[0]).status, 200);
  EXPECT_EQ(read_response(clients[1]).field("X-RateLimit-Reason"), "provider_changed");
  EXPECT_EQ(second.count(), 0U);
}

TEST_F(ProviderChange, TheNewProviderIsNotLeftAloneForTheFailuresOfTheOld) {
  fake_upstream failing([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 500)); });
  values const breaker{{"cerebras.circuit_breaker.failure_threshold", "1"},
                       {"cerebras.circuit_breaker.open_for", "1h"},
                       {"cerebras.api_key", "key"}};
  proxy p(failing, breaker);
  EXPECT_EQ(p.fetch(chat()).status, 500);
  EXPECT_EQ(p.fetch(chat()).field("X-RateLimit-Reason"), "circuit_open");
  p.reload(breaker);
  EXPECT_EQ(p.fetch(chat()).field("X-RateLimit-Reason"), "circuit_open") << "the same provider";
  p.reload(with(breaker, {{"cerebras.base_url", url_of(second)}}));
  EXPECT_EQ(p.fetch(chat()).status, 200);
}
