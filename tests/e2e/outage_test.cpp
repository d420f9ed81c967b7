// The provider fails and comes back while requests wait: no accepted request is lost.
#include <csignal>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;

namespace {

std::string chat(const std::string& text = "hello", const std::string& fields = "") {
  return post_request("/v1/chat/completions", chat_body("m", 10, false, text), fields);
}

/// The name that a request carries comes back in its answer.
std::string answer_to(const fake_upstream::seen_request& r) {
  auto const at = r.body.find("name-");
  return ok_response("{\"id\":\"" + r.body.substr(at, r.body.find('"', at) - at) + "\"}");
}

const values quick_breaker{{"cerebras.circuit_breaker.failure_threshold", "5"},
                           {"cerebras.circuit_breaker.open_for", "300ms"},
                           {"cerebras.queue.max_in_flight", "8"}};

std::string breaker_state(const proxy& p) {
  return std::string(p.status().at("circuit_breaker").at("state").as_string());
}

}  // namespace

TEST(Outage, AThousandQueuedSurviveARestartOfTheProvider) {
  raise_descriptor_limit();
  event door;
  release_at_end const release(door);
  auto const handler = [&](auto const& r, tcp_client& c) {
    door.wait();
    std::this_thread::sleep_for(2ms);
    return c.send(answer_to(r));
  };
  auto first = std::make_unique<fake_upstream>(handler);
  auto const port = first->port();
  proxy p(*first, quick_breaker);
  std::vector<tcp_client> clients;
  clients.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    clients.emplace_back(p.port());
    ASSERT_TRUE(clients.back().send(chat("name-" + std::to_string(i))));
  }
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 992; }));
  door.set();
  ASSERT_TRUE(first->wait_for(200));
  first.reset();
  // Long enough for the breaker to open, and to find nobody there once or twice.
  ASSERT_TRUE(eventually([&] { return breaker_state(p) != "CLOSED"; }));
  std::this_thread::sleep_for(700ms);
  fake_upstream second(handler, port);
  for (int i = 0; i < 1000; ++i) {
    auto& c = clients[static_cast<std::size_t>(i)];
    auto const r = read_response(c);
    ASSERT_EQ(r.status, 200) << i << ": " << r.raw_head << r.body;
    ASSERT_EQ(r.body, "{\"id\":\"name-" + std::to_string(i) + "\"}");
    c.shutdown_send();
    ASSERT_EQ(c.read_all(), "") << "one answer, not two";
  }
  EXPECT_EQ(p.queue_length(), 0U);
  EXPECT_EQ(p.in_flight(), 0U);
  EXPECT_EQ(breaker_state(p), "CLOSED");
}

TEST(Outage, QueuedRequestsWaitAsLongAsTheyMay) {
  auto const port = closed_port();
  auto v = quick_breaker;
  v["cerebras.queue.max_in_flight"] = "1";
  v["cerebras.circuit_breaker.failure_threshold"] = "1";
  v["cerebras.retries"] = "0";
  proxy p("http://127.0.0.1:" + std::to_string(port), v);
  auto upstream = std::make_unique<fake_upstream>(
      [](auto const&, tcp_client& c) {
        c.read_some();
        return false;
      },
      port);
  tcp_client opener(p.port());
  opener.send(chat());
  ASSERT_TRUE(upstream->wait_for(1));
  tcp_client impatient(p.port());
  impatient.send(chat("hello", "Prefer: wait=1\r\n"));
  tcp_client patient(p.port());
  patient.send(chat("hello"));
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 2; }));
  upstream.reset();
  EXPECT_EQ(read_response(opener).status, 503) << "it was sent, and is not to be repeated";
  auto const r = read_response(impatient);
  EXPECT_GE(r.status, 429) << r.raw_head;
  EXPECT_NE(r.field("Retry-After"), "");
  fake_upstream back([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); }, port);
  EXPECT_EQ(read_response(patient).status, 200);
}

TEST(Outage, WithoutRetriesOnlyWhatWasSentIsLost) {
  event door;
  release_at_end const release(door);
  auto const handler = [&](auto const& r, tcp_client& c) {
    door.wait();
    return c.send(answer_to(r));
  };
  auto first = std::make_unique<fake_upstream>([](auto const&, tcp_client& c) {
    c.read_some();
    return false;
  });
  auto const port = first->port();
  auto v = quick_breaker;
  v["cerebras.retries"] = "0";
  v["cerebras.queue.max_in_flight"] = "4";
  proxy p(*first, v);
  std::vector<tcp_client> clients;
  for (int i = 0; i < 40; ++i) {
    clients.emplace_back(p.port());
    ASSERT_TRUE(clients.back().send(chat("name-" + std::to_string(i))));
  }
  ASSERT_TRUE(first->wait_for(4));
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 36; }));
  first.reset();
  ASSERT_TRUE(eventually([&] { return breaker_state(p) != "CLOSED"; }));
  door.set();
  fake_upstream second(handler, port);
  std::map<int, int> statuses;
  for (auto& c : clients) ++statuses[read_response(c).status];
  EXPECT_EQ(statuses, (std::map<int, int>{{200, 36}, {503, 4}}));
}

TEST(Outage, HeldRequestsKeepTheirOrderAndReserveNothing) {
  event door;
  std::atomic<bool> well{false};
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0) door.wait();
    return c.send(well ? answer_to(r) : ok_response("{}", "", 500));
  });
  release_at_end const release(door);
  auto v = quick_breaker;
  v["cerebras.queue.max_in_flight"] = "1";
  v["cerebras.circuit_breaker.failure_threshold"] = "1";
  v["cerebras.circuit_breaker.open_for"] = "2s";
  v["cerebras.circuit_breaker.half_open_requests"] = "1";
  proxy p(upstream, v);
  std::vector<tcp_client> clients;
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) {
    names.push_back("name-" + std::to_string(i));
    clients.emplace_back(p.port());
    clients.back().send(chat(names.back()));
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == clients.size(); }));
  }
  door.set();
  EXPECT_EQ(read_response(clients[0]).status, 500);
  EXPECT_EQ(breaker_state(p), "OPEN");
  // A trial may have its ticket already; the others wait without one.
  EXPECT_LE(p.in_flight(), 1U);
  EXPECT_GE(p.queue_length(), 8U);
  auto const newcomer = p.fetch(chat());
  EXPECT_EQ(newcomer.status, 503);
  EXPECT_EQ(newcomer.field("X-RateLimit-Reason"), "circuit_open");
  well = true;
  for (std::size_t i = 1; i < clients.size(); ++i) EXPECT_EQ(read_response(clients[i]).status, 200);
  EXPECT_EQ(bodies_seen(upstream, names), names);
}

TEST(Outage, ShutdownAndDeparturesEndTheHolding) {
  event door;
  fake_upstream upstream([&](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response("{}", "", 500)); });
  release_at_end const release(door);
  auto v = quick_breaker;
  v["cerebras.queue.max_in_flight"] = "2";
  v["cerebras.circuit_breaker.failure_threshold"] = "1";
  v["cerebras.circuit_breaker.open_for"] = "1h";
  proxy p(upstream, v);
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 6; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == i + 1; }));
  }
  door.set();
  EXPECT_EQ(read_response(clients[0]).status, 500);
  EXPECT_EQ(read_response(clients[1]).status, 500);
  clients[2].close();
  ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == 3; }));
  p.program().signal(SIGTERM);
  for (std::size_t i = 3; i < clients.size(); ++i) {
    auto const r = read_response(clients[i]);
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "draining");
  }
  EXPECT_EQ(p.program().wait(10s), 0);
}
