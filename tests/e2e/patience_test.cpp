// Clients with timeouts: rejected at once if they would time out, otherwise told their position.

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

namespace {

std::string chat(const std::string& fields = "", bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream), fields);
}

/// One request a minute, which is used up.
class Patience : public ::testing::Test {
 protected:
  void start(const values& more = {}) {
    values all{{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.rpm_limit", "1"}};
    for (auto const& [key, value] : more) all[key] = value;
    proxy_ = std::make_unique<proxy>(upstream_, all);
    ASSERT_EQ(proxy_->fetch(chat()).status, 200);
  }

  void expect_refused(const std::string& request) const {
    auto const r = proxy_->fetch(request);
    EXPECT_EQ(r.status, 429) << r.raw_head;
    EXPECT_EQ(r.field("X-RateLimit-Reason"), "queue_timeout");
    EXPECT_THAT(std::stoi(r.field("Retry-After")), AllOf(Ge(30), Le(62))) << "until it can go";
    EXPECT_EQ(r.field("X-RateLimit-Delay"), "") << "it did not wait";
    EXPECT_EQ(proxy_->queue_length(), 0U);
  }

  void expect_queued(const std::string& request) const {
    tcp_client c(proxy_->port());
    c.send(request);
    EXPECT_TRUE(eventually([&] { return proxy_->queue_length() == 1; })) << request;
    c.close();
    EXPECT_TRUE(eventually([&] { return proxy_->queue_length() == 0; }));
  }

  fake_upstream upstream_{[](auto const&, tcp_client& c) { return c.send(ok_response(completion())); }};
  std::unique_ptr<proxy> proxy_;
};

}  // namespace

TEST_F(Patience, ATimeoutBeforeTheReleaseIsRefusedAtOnce) {
  start();
  expect_refused(chat("X-Stainless-Timeout: 20\r\n"));
  expect_refused(chat("x-stainless-timeout: 1.5\r\n"));
  expect_refused(chat("x-stainless-timeout: 0\r\n"));
  expect_refused(chat("x-stainless-read-timeout: 20.0\r\n"));
  expect_refused(chat("x-stainless-timeout: 600\r\nx-stainless-read-timeout: 20.0\r\n"));
  expect_refused(chat("X-Stainless-Timeout: 20\r\n", true));
  EXPECT_EQ(upstream_.count(), 1U);
}

TEST_F(Patience, ItsMessageSaysWhoseLimitItWas) {
  start();
  auto const r = proxy_->fetch(chat("X-Stainless-Timeout: 20\r\n"));
  EXPECT_THAT(std::string(boost::json::parse(r.body).at("message").as_string()),
              HasSubstr("Its client waits at most 20 seconds."));
}

TEST_F(Patience, ALongerTimeoutWaits) {
  start();
  expect_queued(chat("X-Stainless-Timeout: 600\r\n"));
  expect_queued(chat("X-Stainless-Timeout: soon\r\n"));
  expect_queued(chat("X-Stainless-Read-Timeout: 0\r\n"));
}

TEST_F(Patience, PreferWaitHasPrecedence) {
  start();
  expect_queued(chat("X-Stainless-Timeout: 5\r\nPrefer: wait=300\r\n"));
  expect_refused(chat("X-Stainless-Timeout: 300\r\nPrefer: wait=5\r\n"));
}

TEST_F(Patience, CommentsKeepAClientPatient) {
  start({{"cerebras.queue.keepalive_after", "10s"}});
  expect_queued(chat("X-Stainless-Timeout: 20\r\n", true));
  expect_refused(chat("X-Stainless-Timeout: 12\r\n", true));  // comments come every 15 s
  expect_refused(chat("X-Stainless-Timeout: 20\r\n"));        // not a stream
}

TEST_F(Patience, CommentsThatTheClientDecidesKeepItPatientIfTheyCan) {
  start({{"cerebras.queue.keepalive_after", "auto"}});
  expect_queued(chat("X-Stainless-Timeout: 20\r\n", true));
  expect_queued(chat("X-Stainless-Timeout: 600\r\n", true));
  expect_queued(chat("", true));
  expect_refused(chat("X-Stainless-Timeout: 12\r\n", true));
  expect_refused(chat("X-Stainless-Timeout: 20\r\n"));
}

TEST_F(Patience, TheTimeoutGoesOnToTheProvider) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy const p(upstream);
  EXPECT_EQ(p.fetch(chat("X-Stainless-Timeout: 20\r\n")).status, 200);
  EXPECT_THAT(upstream.seen().at(0).head, HasSubstr("X-Stainless-Timeout: 20\r\n"));
}

TEST(Place, CommentsTellPositionAndTime) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0 && !door.wait()) return false;
    return c.send(ok_response(completion()));
  });
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.keepalive_after", "100ms"}});
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  std::vector<tcp_client> waiting;
  for (std::size_t i = 1; i <= 3; ++i) {
    waiting.emplace_back(p.port());
    waiting.back().send(chat("", true));
    auto const head = waiting.back().read_until("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("X-RateLimit-Delay-Forecast: "));
    auto const comment = waiting.back().read_until("\n\n");
    auto const before = ": queued, position " + std::to_string(i) + ", about ";
    auto const at = comment.find(before);
    ASSERT_NE(at, std::string::npos) << comment;
    EXPECT_GE(std::stoul(comment.substr(at + before.size())), 1U) << comment;
    EXPECT_THAT(comment, ::testing::EndsWith(" s (queue.max_in_flight requests are at the provider)\n\n"));
  }
}

TEST(Place, ForecastsAreToldAndMeasured) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0 && !door.wait()) return false;
    return c.send(ok_response(completion(), "X-RateLimit-Delay-Forecast: 7\r\n"));
  });
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}});
  tcp_client first(p.port());
  tcp_client second(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  second.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  door.set();
  EXPECT_EQ(read_response(first).field("X-RateLimit-Delay-Forecast"), "") << "it did not wait";
  auto const r = read_response(second);
  EXPECT_GT(std::stod(r.field("X-RateLimit-Delay")), 0);
  auto const forecast = r.field("X-RateLimit-Delay-Forecast");
  ASSERT_NE(forecast, "");
  EXPECT_GE(std::stod(forecast), 0);
  EXPECT_NE(forecast, "7") << "the provider's would contradict ours";
  EXPECT_EQ(p.metric("cooldown_forecast_error_ratio_count"), 1);
  EXPECT_EQ(p.metric("cooldown_wait_seconds_count"), 2);
}
