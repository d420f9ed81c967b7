// Several upstreams and keys: where requests go, what the client sees of it, and that no key goes to another upstream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

namespace {

std::string chat(const std::string& fields = "", const std::string& text = "hello") {
  return post_request("/v1/chat/completions", chat_body("m", 10, false, text), fields);
}

std::string url_of(const fake_upstream& u) {
  return "http://127.0.0.1:" + std::to_string(u.port());
}

/// One entry of `upstreams`; `more` begins with a comma.
std::string upstream(const std::string& name, const std::string& url, const std::string& more = "") {
  return "{name: " + name + ", base_url: '" + url + "', rpm_limit: 1000000, tpm_limit: 1000000000" + more + "}";
}

std::vector<std::string> heads_of(const fake_upstream& u) {
  std::vector<std::string> heads;
  for (auto const& r : u.seen()) heads.push_back(r.head);
  return heads;
}

bool holds(const fake_upstream::seen_request& r, const std::string& text) {
  return r.head.find(text) != std::string::npos;
}

const boost::json::value* find_upstream(const boost::json::value& status, const std::string& name) {
  for (auto const& u : status.at("upstreams").as_array())
    if (u.at("name").as_string() == name) return &u;
  return nullptr;
}

struct Upstreams : ::testing::Test {
  fake_upstream well{[](auto const&, tcp_client& c) { return c.send(ok_response(completion())); }};

  /// `first` before `well`, whose name is b.
  values with_second(const values& more = {}, const std::string& of_second = ", api_key: key-b") const {
    values v{{"cerebras.api_key", "key-a"},
             {"routing.sticky", "off"},
             {"upstreams", "[" + upstream("b", url_of(well), of_second) + "]"}};
    for (auto const& [key, value] : more) v[key] = value;
    return v;
  }
  /// All of them get an answer, from b.
  static void expect_answers_of_b(const proxy& p, int n) {
    for (int i = 0; i < n; ++i) {
      auto const r = p.fetch(chat());
      ASSERT_EQ(r.status, 200) << i << ": " << r.raw_head << r.body;
      ASSERT_EQ(r.field("x-upstream"), "b") << i;
    }
  }
  static int post(const proxy& p, const std::string& path, const std::string& body) {
    return fetch(p.admin_port(), post_request(path, body)).status;
  }
};

}  // namespace

TEST_F(Upstreams, OneOfTwoKeysIsRevokedMidwayAndNoClientNotices) {
  std::atomic<bool> revoked{false};
  fake_upstream provider([&](auto const& r, tcp_client& c) {
    bool const refused = revoked && holds(r, "Bearer key-2\r\n");
    return c.send(refused ? ok_response(R"({"error":{"message":"no such key"}})", "", 401) : ok_response(completion()));
  });
  proxy p(provider, {{"cerebras.api_keys", "[key-1, key-2]"}, {"routing.sticky", "off"}});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const before = provider.seen();
  EXPECT_EQ(std::count_if(before.begin(), before.end(), [](auto& r) { return holds(r, "Bearer key-1\r\n"); }), 5)
      << "in balance";
  revoked = true;
  for (int i = 0; i < 10; ++i) {
    auto const r = p.fetch(chat());
    ASSERT_EQ(r.status, 200) << r.body;
    EXPECT_EQ(r.field("x-upstream"), "cerebras/1");
  }
  auto const all = provider.seen();
  EXPECT_EQ(all.size(), 21U) << "the revoked one was tried once";
  p.program().wait_for_line("cerebras/2 refuses its key with status 401: it is set aside");
  EXPECT_THAT(p.program().output(), Not(HasSubstr("key-2")));
  auto const status = p.status();
  auto const* const aside = find_upstream(status, "cerebras/2");
  ASSERT_TRUE(aside && aside->as_object().contains("set_aside_for_seconds"));
  EXPECT_EQ(p.metric(R"(cooldown_upstream_set_aside{upstream="cerebras/2"})"), 1);
}

TEST_F(Upstreams, BothKeysRevokedAreNoSecretToTheClient) {
  fake_upstream provider([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 401)); });
  proxy p(provider, {{"cerebras.api_keys", "[key-1, key-2]"}});
  EXPECT_EQ(p.fetch(chat()).status, 401);
  EXPECT_EQ(p.fetch(chat()).status, 401);
}

TEST_F(Upstreams, WhoWouldWaitTooLongGoesToTheNextOne) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(home, with_second({{"cerebras.limits", "{m: {rpm: 2}}"}, {"routing.spill_after", "1s"}}));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(p.fetch(chat()).field("x-upstream"), "cerebras");
  expect_answers_of_b(p, 3);
  EXPECT_EQ(home.count(), 2U);
}

TEST_F(Upstreams, NobodySpillsIfThatIsOff) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(home, with_second({{"cerebras.limits", "{m: {rpm: 1}}"}, {"routing.spill_after", "off"}}));
  EXPECT_EQ(p.fetch(chat()).status, 200);
  tcp_client waits(p.port());
  waits.send(chat());
  EXPECT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  EXPECT_EQ(well.count(), 0U);
}

TEST_F(Upstreams, NobodyThereIsNoErrorWhileAnotherIsAlive) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), with_second());
  expect_answers_of_b(p, 20);
}

TEST_F(Upstreams, AStallIsNoErrorWhileAnotherIsAlive) {
  event never;
  fake_upstream silent([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p(silent,
          with_second({{"cerebras.timeouts.first_byte", "200ms"}, {"cerebras.circuit_breaker.open_for", "1h"}}));
  expect_answers_of_b(p, 12);
  EXPECT_LE(silent.count(), 5U) << "until the breaker opened";
}

TEST_F(Upstreams, AStormOfFailuresIsNoErrorWhileAnotherIsAlive) {
  fake_upstream failing(
      [](auto const& r, tcp_client& c) { return c.send(ok_response("{}", "", r.number % 2 == 0 ? 500 : 503)); });
  proxy p(failing, with_second({{"cerebras.circuit_breaker.open_for", "1h"}}));
  expect_answers_of_b(p, 12);
  EXPECT_LE(failing.count(), 5U);
}

TEST_F(Upstreams, WhoWantsNoRepeatsDoesNotGetThemElsewhere) {
  fake_upstream failing([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 503)); });
  proxy p(failing, with_second({{"cerebras.retries", "0"}}));
  EXPECT_EQ(p.fetch(chat()).status, 503);
  EXPECT_EQ(well.count(), 0U);
}

TEST_F(Upstreams, AKillAmidRequestsIsNoErrorWhileAnotherIsAlive) {
  auto home = std::make_unique<fake_upstream>([](auto const&, tcp_client& c) {
    c.read_some();
    return false;
  });
  proxy p(*home, with_second());
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 8; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
  }
  ASSERT_TRUE(home->wait_for(8));
  home.reset();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
}

TEST_F(Upstreams, EachGetsItsOwnKeyAndTheClientsOnlyTheFirst) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 503)); });
  for (std::string const of_b : {", api_key: key-b", ""}) {
    proxy p(home, with_second({{"cerebras.api_key", "''"}}, of_b));
    for (auto const* const field : {"Authorization: Bearer of-client\r\n", "x-api-key: of-client\r\n"})
      EXPECT_EQ(p.fetch(chat(field)).status, 200);
  }
  EXPECT_THAT(heads_of(home), AllOf(SizeIs(4), Each(AllOf(HasSubstr("of-client"), Not(HasSubstr("key-b"))))));
  EXPECT_THAT(heads_of(well), AllOf(SizeIs(4), Each(Not(HasSubstr("of-client")))));
  EXPECT_THAT(heads_of(well)[0], HasSubstr("Authorization: Bearer key-b\r\n"));
  EXPECT_THAT(heads_of(well)[2], Not(HasSubstr("Authorization")));
}

TEST_F(Upstreams, AClientsKeyGoesWhereItIsToBePassed) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()), with_second({}, ", pass_client_key: true"));
  EXPECT_EQ(p.fetch(chat("Authorization: Bearer of-client\r\n")).status, 200);
  EXPECT_THAT(heads_of(well), Each(AllOf(HasSubstr("Bearer of-client\r\n"), Not(HasSubstr("key-a")))));
}

TEST_F(Upstreams, KeysDoNotCrossOnReload) {
  event door;
  fake_upstream home([&](auto const& r, tcp_client& c) {
    if (r.number == 0) door.wait();
    return c.send(ok_response(completion()));
  });
  release_at_end const release(door);
  values const one{{"cerebras.queue.max_in_flight", "1"}, {"routing.spill_after", "off"}};
  proxy p(home, with_second(one));
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 4; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == i + 1; }));
  }
  // They change places, with keys of their own.
  values swapped = one;
  swapped["cerebras.base_url"] = url_of(well);
  swapped["cerebras.api_key"] = "key-b2";
  swapped["upstreams"] = "[" + upstream("b", url_of(home), ", api_key: key-a2") + "]";
  p.reload(swapped);
  door.set();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_THAT(heads_of(well), Each(HasSubstr("Bearer key-b2\r\n")));
  EXPECT_THAT(heads_of(home), Each(Not(HasSubstr("key-b"))));
  EXPECT_GE(well.count(), 1U);
}

TEST_F(Upstreams, WhoWaitsForAnUpstreamThatIsRemovedGoesToTheOthers) {
  event door;
  fake_upstream away([&](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response(completion())); });
  release_at_end const release(door);
  auto const dead = "http://127.0.0.1:" + std::to_string(closed_port());
  values const one{{"cerebras.queue.max_in_flight", "1"}, {"cerebras.api_key", "key-a"}};
  auto two = one;
  two["upstreams"] = "[" + upstream("away", url_of(away), ", api_key: key-c") + "]";
  proxy p(dead, two);
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 3; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == i + 1; }));
  }
  ASSERT_TRUE(away.wait_for(1));
  auto rest = one;
  rest["cerebras.base_url"] = url_of(well);
  p.reload(rest);
  EXPECT_EQ(read_response(clients[1]).status, 200);
  EXPECT_EQ(read_response(clients[2]).status, 200);
  EXPECT_EQ(well.count(), 2U);
  door.set();
  EXPECT_EQ(read_response(clients[0]).status, 200) << "what was sent ends where it was sent";
  EXPECT_THAT(heads_of(well), Each(HasSubstr("Bearer key-a\r\n")));
}

TEST_F(Upstreams, TheModelIsCalledByItsNameThere) {
  auto const dead = "http://127.0.0.1:" + std::to_string(closed_port());
  proxy p(dead, with_second({}, ", api_key: key-b, models: {m: 'openai/m'}"));
  std::string const body =
      "{ \"messages\":[{\"role\":\"user\",\"content\":\"a \\\"model\\\": m\"}], \"model\" : \"m\" }";
  EXPECT_EQ(p.fetch(post_request("/v1/chat/completions", body)).status, 200);
  ASSERT_EQ(well.count(), 1U);
  EXPECT_EQ(well.seen()[0].body,
            "{ \"messages\":[{\"role\":\"user\",\"content\":\"a \\\"model\\\": m\"}], \"model\" : \"openai/m\" }");
  auto const other = p.fetch(post_request("/v1/chat/completions", chat_body("n")));
  EXPECT_EQ(other.status, 503) << "the model is not served there";
  EXPECT_EQ(well.count(), 1U);
}

TEST_F(Upstreams, AModelThatIsNamedTwiceIsOneModelThere) {
  auto const dead = "http://127.0.0.1:" + std::to_string(closed_port());
  proxy p(dead, with_second({}, ", api_key: key-b, models: {m: m, n: 'openai/n'}"));
  auto const send = [&](const std::string& body) { return p.fetch(post_request("/v1/chat/completions", body)).status; };
  EXPECT_EQ(send(R"({"model":"dear","messages":[],"model":"m"})"), 200);
  EXPECT_EQ(send(R"({"model":"m","messages":[],"model":"n"})"), 200);
  ASSERT_EQ(well.count(), 2U);
  EXPECT_EQ(well.seen()[0].body, R"({"model":"m","messages":[],"model":"m"})") << "the last one, as it is metered";
  EXPECT_EQ(well.seen()[1].body, R"({"model":"openai/n","messages":[],"model":"openai/n"})");
  for (auto const* const body : {R"({"model":"m","model":"dear"})", R"({"model":7,"model":"m"})"})
    EXPECT_EQ(send(body), 503) << body << ": it is not served there";
  EXPECT_EQ(well.count(), 2U);
}

TEST_F(Upstreams, APausedUpstreamIsToldAsOne) {
  proxy p(well, {{"cerebras.queue.max_wait", "200ms"}});
  EXPECT_EQ(post(p, "/upstreams/pause", R"({"upstream":"cerebras"})"), 200);
  EXPECT_THAT(p.fetch(chat()).body, HasSubstr("The upstream is paused."));
  EXPECT_EQ(post(p, "/upstreams/resume", R"({"upstream":"cerebras"})"), 200);
  EXPECT_EQ(p.fetch(chat()).status, 200);
}

TEST_F(Upstreams, RetryAfterIsTheEarliestOfAll) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(home, with_second({{"cerebras.limits", "{m: {rpd: 1}}"}}, ", api_key: key-b, limits: {m: {rpm: 1}}"));
  EXPECT_EQ(p.fetch(chat()).field("x-upstream"), "cerebras");
  expect_answers_of_b(p, 1);
  auto const r = p.fetch(chat("Prefer: wait=1\r\n"));
  EXPECT_EQ(r.status, 429) << r.body;
  ASSERT_NE(r.field("retry-after"), "");
  EXPECT_LE(std::stoi(r.field("retry-after")), 61) << "not the day of the first one";
}

TEST_F(Upstreams, WhatIsPausedGetsNothingAndItsWaitingRequestsMove) {
  event door;
  fake_upstream home([&](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response(completion())); });
  release_at_end const release(door);
  proxy p(home, with_second({{"cerebras.queue.max_in_flight", "1"}, {"routing.spill_after", "off"}}));
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 2; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
    ASSERT_TRUE(eventually([&] { return p.in_flight() + p.queue_length() == i + 1; }));
  }
  EXPECT_EQ(post(p, "/upstreams/pause", R"({"upstream":"nobody"})"), 404);
  EXPECT_EQ(post(p, "/upstreams/pause", R"({"upstream":"cerebras"})"), 200);
  EXPECT_EQ(read_response(clients[1]).field("x-upstream"), "b");
  expect_answers_of_b(p, 1);
  EXPECT_TRUE(find_upstream(p.status(), "cerebras")->at("paused").as_bool());
  door.set();
  EXPECT_EQ(read_response(clients[0]).field("x-upstream"), "cerebras") << "it had been sent";
  EXPECT_EQ(post(p, "/upstreams/resume", R"({"upstream":"cerebras"})"), 200);
  EXPECT_EQ(p.fetch(chat()).field("x-upstream"), "cerebras");
}

TEST_F(Upstreams, AConversationStaysWhereItsPrefixIsCached) {
  std::atomic<bool> down{true};
  fake_upstream home([&](auto const&, tcp_client& c) {
    return c.send(down ? ok_response("{}", "", 503) : ok_response(completion()));
  });
  proxy p(home, with_second({{"routing.sticky", "conversation"}}));
  EXPECT_EQ(p.fetch(chat("", "one")).field("x-upstream"), "b");
  down = false;
  EXPECT_EQ(p.fetch(chat("", "two")).field("x-upstream"), "cerebras");
  EXPECT_EQ(p.fetch(chat("", "one")).field("x-upstream"), "b");
}

TEST_F(Upstreams, WithOneDestinationNothingIsSaidOfIt) {
  proxy p(well);
  EXPECT_EQ(p.fetch(chat()).field("x-upstream"), "");
  EXPECT_FALSE(p.status().as_object().contains("upstreams"));
  EXPECT_THAT(p.program().output(), Not(HasSubstr(" to=")));
}
