// Requests that move between upstreams and accounts: what they have to wait for does not begin anew, and what one
// client brings about costs the others nothing.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

namespace {

std::string chat(const std::string& fields = "", const std::string& target = "/v1/chat/completions") {
  return post_request(target, chat_body("m", 10), fields);
}

std::string no_capacity() {
  return ok_response(R"({"error":{"message":"high traffic","code":"queue_exceeded"}})", "", 429);
}

std::string second(const fake_upstream& u, const std::string& more = ", api_key: key-b") {
  return "[{name: b, base_url: 'http://127.0.0.1:" + std::to_string(u.port()) +
         "', rpm_limit: 1000000, tpm_limit: 1000000000" + more + "}]";
}

bool came_with(const fake_upstream::seen_request& r, const std::string& text) {
  return r.head.find(text) != std::string::npos;
}

}  // namespace

TEST(Moving, ABackoffGrowsWhereverTheRequestGoes) {
  fake_upstream provider([](auto const&, tcp_client& c) { return c.send(no_capacity()); });
  proxy p(provider, {{"cerebras.api_keys", "[key-1, key-2]"}});
  auto const r = p.fetch(chat("Prefer: wait=8\r\n"));
  EXPECT_EQ(r.status, 429) << r.body;
  EXPECT_LT(provider.count(), 20U);
  EXPECT_GE(provider.count(), 2U) << "both were asked";
}

TEST(Moving, ABackoffGrowsAmongUpstreamsToo) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(no_capacity()); });
  fake_upstream other([](auto const&, tcp_client& c) { return c.send(no_capacity()); });
  proxy p(home, {{"cerebras.api_key", "key-a"}, {"routing.min_gain", "0s"}, {"upstreams", second(other)}});
  EXPECT_EQ(p.fetch(chat("Prefer: wait=8\r\n")).status, 429);
  EXPECT_LT(home.count() + other.count(), 20U);
}

TEST(Moving, WhoDoesNotWaitSetsNoKeyAside) {
  std::atomic<bool> busy{true};
  fake_upstream provider([&](auto const& r, tcp_client& c) {
    return c.send(busy && came_with(r, "key-1\r\n") ? no_capacity() : ok_response(completion()));
  });
  proxy p(provider, {{"cerebras.api_keys", "[key-1, key-2]"}, {"routing.sticky", "off"}});
  EXPECT_EQ(p.fetch(chat("Prefer: wait=0\r\n")).field("x-upstream"), "cerebras/2") << "it goes elsewhere";
  EXPECT_THAT(p.program().output(), Not(HasSubstr("set aside")));
  EXPECT_EQ(p.metric(R"(cooldown_upstream_set_aside{upstream="cerebras/1"})"), 0);
}

TEST(Moving, AnAccountThatIsSpentIsSetAside) {
  fake_upstream provider([&](auto const& r, tcp_client& c) {
    return c.send(came_with(r, "key-1\r\n") ? ok_response(R"({"error":{"code":"insufficient_quota"}})", "", 429)
                                            : ok_response(completion()));
  });
  proxy p(provider, {{"cerebras.api_keys", "[key-1, key-2]"}, {"routing.sticky", "off"}});
  EXPECT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(p.metric(R"(cooldown_upstream_set_aside{upstream="cerebras/1"})"), 1);
}

TEST(Moving, ACredentialInTheQueryGoesToTheFirstUpstreamAlone) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response("{}", "", 503)); });
  fake_upstream other([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  for (std::string const of_b : {", api_key: key-b", ""}) {
    proxy p(home, {{"routing.sticky", "off"}, {"upstreams", second(other, of_b)}});
    for (auto const* const query : {"?api_key=of-client&api-version=1", "?api-version=1&k%65y=of-client"})
      EXPECT_EQ(p.fetch(chat("", std::string("/v1/chat/completions") + query)).field("x-upstream"), "b");
  }
  for (auto const& r : home.seen()) EXPECT_THAT(r.head, HasSubstr("=of-client"));
  EXPECT_EQ(home.count(), 4U);
  ASSERT_EQ(other.count(), 4U);
  for (auto const& r : other.seen())
    EXPECT_THAT(r.head, AllOf(HasSubstr("/v1/chat/completions?api-version=1 HTTP/1.1"), Not(HasSubstr("of-client"))));
}

TEST(Moving, ACredentialInTheQueryGoesWhereItIsToBePassed) {
  fake_upstream other([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()),
          {{"cerebras.api_key", "key-a"}, {"upstreams", second(other, ", pass_client_key: true")}});
  EXPECT_EQ(p.fetch(chat("", "/v1/chat/completions?api_key=of-client")).status, 200);
  ASSERT_EQ(other.count(), 1U);
  EXPECT_THAT(other.seen()[0].head, HasSubstr("?api_key=of-client"));
}

TEST(Moving, WhoWaitsForAPausedUpstreamGoesToTheOneThatIsResumed) {
  fake_upstream home([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  fake_upstream other([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(home, {{"cerebras.api_key", "key-a"}, {"upstreams", second(other)}});
  auto const post = [&](const std::string& what, const std::string& name) {
    return fetch(p.admin_port(), post_request("/upstreams/" + what, R"({"upstream":")" + name + R"("})")).status;
  };
  EXPECT_EQ(post("pause", "cerebras"), 200);
  EXPECT_EQ(post("pause", "b"), 200);
  tcp_client waits(p.port());
  waits.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  EXPECT_EQ(post("resume", "b"), 200);
  EXPECT_EQ(read_response(waits).field("x-upstream"), "b");
}

TEST(Shutdown, TwoSignalsAtOnceEndIt) {
  for (int round = 0; round < 5; ++round) {
    proxy p("http://127.0.0.1:" + std::to_string(closed_port()));
    for (int const signal : {SIGSTOP, SIGTERM, SIGINT, SIGHUP, SIGCONT}) p.program().signal(signal);
    EXPECT_EQ(p.program().wait(), 0);
  }
}
