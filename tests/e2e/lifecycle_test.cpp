// Shutdown and reload.
#include <csignal>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::HasSubstr;

namespace {

std::string chat(bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

}  // namespace

TEST(Shutdown, IdleEndsAtOnceWithZero) {
  for (int const signal : {SIGTERM, SIGINT}) {
    proxy p("http://127.0.0.1:" + std::to_string(closed_port()));
    tcp_client idle(p.port());
    idle.send(get_request("/health"));
    EXPECT_EQ(read_response(idle).status, 200);
    p.program().signal(signal);
    EXPECT_EQ(p.program().wait(), 0);
    EXPECT_EQ(idle.read_some(), "") << "closed";
  }
}

TEST(Shutdown, QueuedAreRefusedAndStreamsFinish) {
  event refused;
  event started;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    started.set();
    if (!refused.wait()) return false;
    return c.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  release_at_end const release(refused);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}});
  tcp_client streaming(p.port());
  streaming.send(chat(true));
  ASSERT_TRUE(started.wait());
  tcp_client queued(p.port());
  queued.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  p.program().signal(SIGTERM);
  auto const r = read_response(queued);
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "draining");
  EXPECT_NE(r.field("Retry-After"), "");
  EXPECT_EQ(r.field("Connection"), "close");
  EXPECT_EQ(boost::json::parse(r.body).at("error").at("code").as_string(), "draining");
  EXPECT_THROW(tcp_client{p.port()}, std::runtime_error) << "nobody new is let in";
  refused.set();
  auto const stream = read_response(streaming);
  EXPECT_TRUE(stream.complete);
  EXPECT_EQ(stream.body, "data: 1\n\ndata: 2\n\n");
  EXPECT_EQ(p.program().wait(), 0);
  EXPECT_EQ(p.program().count_lines("draining"), 2U) << p.program().output();
}

TEST(Shutdown, WhoeverGetsRoomByTheFirstRefusalIsRefusedToo) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.tpm_limit", "100"}});
  ASSERT_EQ(p.fetch(chat()).status, 200);  // 20 tokens of 100
  std::vector<tcp_client> waiting;
  for (int const tokens : {85, 10, 10, 10}) {
    waiting.emplace_back(p.port());
    waiting.back().send(post_request("/v1/chat/completions", chat_body("m", tokens)));
    ASSERT_TRUE(eventually([&] { return p.queue_length() == waiting.size(); }));
  }
  p.program().signal(SIGTERM);
  // When the large one at the head has gone, the small ones fit: nobody may fall between the two.
  for (auto& c : waiting) {
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 503) << r.raw_head;
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "draining");
  }
  EXPECT_EQ(p.program().wait(), 0);
}

TEST(Shutdown, NobodyGoesBackToTheQueue) {
  event draining;
  fake_upstream upstream(
      [&](auto const&, tcp_client& c) { return draining.wait() && c.send(quota_refusal("retry-after: 60\r\n")); });
  release_at_end const release(draining);
  proxy p(upstream, {{"server.drain_timeout", "1h"}});
  tcp_client c(p.port());
  c.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  p.program().signal(SIGTERM);
  p.program().wait_for_line("draining");
  draining.set();
  auto const r = read_response(c);
  EXPECT_EQ(r.status, 503);
  EXPECT_EQ(r.field("X-RateLimit-Reason"), "draining");
  EXPECT_EQ(p.program().wait(), 0);
}

TEST(Shutdown, RepeatsOfWhatIsInProgressGoOn) {
  event draining;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number > 0) return c.send(ok_response(completion()));
    return draining.wait() && c.send(ok_response("{}", "", 503));
  });
  release_at_end const release(draining);
  proxy p(upstream, {{"server.drain_timeout", "1h"}});
  tcp_client c(p.port());
  c.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  p.program().signal(SIGTERM);
  p.program().wait_for_line("draining");
  draining.set();
  EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(p.program().wait(), 0);
}

TEST(Shutdown, DrainTimeoutEndsWhatIsLeft) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p(upstream, {{"server.drain_timeout", "500ms"}});
  tcp_client c(p.port());
  c.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  p.program().signal(SIGTERM);
  EXPECT_EQ(p.program().wait(10s), 0);
  EXPECT_EQ(c.read_all(), "");
}

TEST(Shutdown, SecondSignalEndsAtOnce) {
  event never;
  fake_upstream upstream([&](auto const&, tcp_client&) { return never.wait(); });
  release_at_end const release(never);
  proxy p(upstream, {{"server.drain_timeout", "1h"}});
  tcp_client c(p.port());
  c.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  p.program().signal(SIGTERM);
  p.program().wait_for_line("draining");
  p.program().signal(SIGTERM);
  EXPECT_EQ(p.program().wait(10s), 0);
}

TEST(Reload, RaisedLimitReleasesTheQueue) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  values const by_configuration{{"cerebras.rate_limits.use_headers", "false"}};
  auto low = by_configuration;
  low["cerebras.tpm_limit"] = "30";
  low["cerebras.queue.max_wait"] = "24h";
  proxy p(upstream, low);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  std::vector<tcp_client> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.emplace_back(p.port());
    waiting.back().send(chat());
  }
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 20; })) << p.queue_length();
  p.reload(by_configuration);
  for (auto& c : waiting) {
    auto const r = read_response(c);
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.field("X-RateLimit-Limit-TPM"), "1000000000");
  }
  EXPECT_EQ(p.metric("cooldown_reloads_total"), 1);
}

TEST(Reload, BadConfigurationIsRefusedByKey) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.tpm_limit", "1234567"}});
  p.reload({{"cerebras.tpm_limit", "many"}, {"cerebras.queue.max_dept", "3"}});
  p.program().wait_for_line("the previous configuration stays in force");
  EXPECT_THAT(p.program().wait_for_line("cerebras.tpm_limit"), HasSubstr("config.yaml:"));
  EXPECT_THAT(p.program().wait_for_line("cerebras.queue.max_dept"), HasSubstr("max_depth"));
  EXPECT_EQ(p.metric("cooldown_reload_failures_total"), 1);
  auto const r = p.fetch(chat());
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("X-RateLimit-Limit-TPM"), "1234567");
}

TEST(Reload, UnusableCertificatesAreRefused) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream);
  p.reload({{"cerebras.base_url", "https://127.0.0.1:1"}, {"cerebras.tls.ca_file", "/nowhere/ca.pem"}});
  EXPECT_EQ(p.metric("cooldown_reload_failures_total"), 1);
  EXPECT_EQ(p.fetch(chat()).status, 200) << "still at the old upstream";
}

TEST(Reload, NewUpstreamTakesTheNextRequest) {
  fake_upstream old([](auto const&, tcp_client& c) { return c.send(ok_response("\"old\"")); });
  fake_upstream fresh([](auto const&, tcp_client& c) { return c.send(ok_response("\"new\"")); });
  proxy p(old);
  tcp_client c(p.port());
  c.send(get_request("/v1/models"));
  EXPECT_EQ(read_response(c).body, "\"old\"");
  p.reload({{"cerebras.base_url", "http://127.0.0.1:" + std::to_string(fresh.port())}});
  c.send(get_request("/v1/models"));
  EXPECT_EQ(read_response(c).body, "\"new\"") << "on the same client connection";
}

TEST(Reload, StreamsSurvive) {
  event more;
  event started;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    started.set();
    for (std::size_t i = 1; i <= 3; ++i)
      if (!more.wait(i) || !c.send("1\r\nb\r\n")) return false;
    return c.send("0\r\n\r\n");
  });
  release_at_end const release(more);
  proxy p(upstream);
  tcp_client c(p.port());
  c.send(chat(true));
  ASSERT_TRUE(started.wait());
  for (int i = 0; i < 3; ++i) {
    p.reload({{"cerebras.base_url", "http://127.0.0.1:" + std::to_string(closed_port())}});
    more.set();
  }
  auto const r = read_response(c);
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "abbb");
}
