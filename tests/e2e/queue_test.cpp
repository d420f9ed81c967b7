// Waiting for quota: order, bounds, disconnects, rejections.
#include <csignal>
#include <list>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::StartsWith;

namespace {

std::string chat(const std::string& text = "hello", const std::string& fields = "", bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream, text), fields);
}

/// An upstream that answers once the event is set.
fake_upstream::handler behind(event& door) {
  return [&door](auto const&, tcp_client& c) { return door.wait() && c.send(ok_response(completion())); };
}

const values one_at_a_time{{"cerebras.queue.max_in_flight", "1"}};

/// Limits of one request a minute, known from the start.
const values one_a_minute{{"cerebras.rate_limits.use_headers", "false"}, {"cerebras.rpm_limit", "1"}};

/// A refusal of ours, in both shapes, with both fields and the time in words.
void expect_refusal(const http_response& r, int status, const std::string& code, bool with_time = true) {
  EXPECT_EQ(r.status, status) << r.raw_head;
  EXPECT_EQ(r.field("X-RateLimit-Reason"), code);
  EXPECT_EQ(r.field("Content-Type"), "application/json");
  auto const body = boost::json::parse(r.body);
  EXPECT_EQ(body.at("code").as_string(), code);
  EXPECT_EQ(body.at("error").at("code").as_string(), code);
  for (auto const* name : {"message", "type", "code"}) EXPECT_EQ(body.at(name), body.at("error").at(name));
  auto const wrapped = body.at("error").at("param");
  EXPECT_EQ(body.at("param"), wrapped.is_null() ? boost::json::value("") : wrapped) << "some want a string";
  EXPECT_FALSE(body.at("type").as_string().empty());
  if (!with_time) return;
  ASSERT_NE(r.field("Retry-After"), "") << r.raw_head;
  auto const seconds = std::stol(r.field("Retry-After"));
  auto const ms = std::stol(r.field("retry-after-ms"));
  EXPECT_GE(seconds * 1000, ms) << "rounded up";
  EXPECT_LT(seconds * 1000 - ms, 1000);
  EXPECT_THAT(std::string(body.at("message").as_string()), HasSubstr("Try again in "));
}

}  // namespace

TEST(Queue, HalfOfAThousandLeaveAndTheRestFinish) {
  raise_descriptor_limit();
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "8"}, {"cerebras.queue.max_depth", "1000"}});
  // After a first round everything that stays open is open.
  ASSERT_EQ(p.fetch(get_request("/health")).status, 200);
  auto const descriptors = p.program().descriptors();

  std::vector<tcp_client> busy;
  busy.reserve(8);
  for (int i = 0; i < 8; ++i) busy.emplace_back(p.port());
  for (auto const& c : busy) ASSERT_TRUE(c.send(chat()));
  ASSERT_TRUE(upstream.wait_for(8));
  std::vector<tcp_client> waiting;
  for (int i = 0; i < 1000; ++i) {
    waiting.emplace_back(p.port());
    ASSERT_TRUE(waiting.back().send(chat()));
  }
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1000; })) << p.queue_length();
  auto const full = p.fetch(chat());
  expect_refusal(full, 503, "queue_full");
  EXPECT_EQ(full.field("X-RateLimit-Queue-Length"), "1000");

  for (std::size_t i = 0; i < waiting.size(); i += 2) waiting[i].close();
  EXPECT_TRUE(eventually([&] { return p.queue_length() == 500; }, 5s)) << p.queue_length();
  EXPECT_EQ(p.fetch(get_request("/health")).body.find("\"queue_length\":500") != std::string::npos, true);
  EXPECT_EQ(upstream.count(), 8U) << "nobody's departure let another go";

  door.set();
  for (auto& c : busy) EXPECT_EQ(read_response(c).status, 200);
  for (std::size_t i = 1; i < waiting.size(); i += 2) ASSERT_EQ(read_response(waiting[i]).status, 200) << i;
  EXPECT_EQ(upstream.count(), 508U) << "those who left never reached the provider";
  EXPECT_EQ(p.queue_length(), 0U);
  EXPECT_EQ(p.in_flight(), 0U);
  EXPECT_EQ(p.metric("cooldown_clients_gone_total"), 500);
  waiting.clear();
  busy.clear();
  EXPECT_TRUE(eventually([&] {
    auto const idle = p.status().at("upstream").at("idle_connections").to_number<std::size_t>();
    return p.program().descriptors() <= descriptors + idle;
  })) << p.program().descriptors()
      << " descriptors, " << descriptors << " before";
  EXPECT_EQ(p.metric("cooldown_requests_in_progress"), 0);
}

TEST(Queue, FirstInFirstOut) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, one_at_a_time);
  std::vector<std::string> marks;
  std::vector<tcp_client> clients;
  for (std::size_t i = 0; i < 30; ++i) {
    marks.push_back("mark-" + std::to_string(100 + i));
    clients.emplace_back(p.port());
    clients.back().send(chat(marks.back()));
    if (i == 0) {
      ASSERT_TRUE(upstream.wait_for(1));
    } else {
      ASSERT_TRUE(eventually([&] { return p.queue_length() == i; }));
    }
  }
  door.set();
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(bodies_seen(upstream, marks), marks);
}

TEST(Queue, MaxInFlightBoundsConcurrency) {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  event two_inside;
  fake_upstream upstream([&](auto const&, tcp_client& c) {
    auto const n = ++now;
    int seen = most;
    while (n > seen && !most.compare_exchange_weak(seen, n)) continue;
    two_inside.set();
    two_inside.wait(2);
    --now;
    return c.send(ok_response(completion()));
  });
  release_at_end const release(two_inside);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "2"}});
  std::vector<tcp_client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(p.port());
    clients.back().send(chat());
  }
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(most, 2) << "as many as are allowed, and no more";
}

TEST(Queue, UnmeteredRequestsPassWhileOthersWait) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.head.starts_with("POST") && !door.wait()) return false;
    return c.send(ok_response(completion()));
  });
  release_at_end const release(door);
  proxy p(upstream, one_at_a_time);
  tcp_client first(p.port());
  tcp_client second(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  second.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  auto const r = p.fetch(get_request("/v1/tcp_warming"));
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("X-RateLimit-Queue-Length"), "1");
}

TEST(Queue, PreferWaitZeroFailsAtOnce) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, one_a_minute);
  ASSERT_EQ(p.fetch(chat("x", "Prefer: wait=0\r\n")).status, 200) << "what need not wait goes";
  auto const r = p.fetch(chat("x", "Prefer: respond-async, wait=0\r\n"));
  expect_refusal(r, 429, "queue_timeout");
  EXPECT_THAT(std::stoi(r.field("Retry-After")), AllOf(Ge(50), Le(62)));
  EXPECT_EQ(r.field("X-RateLimit-Limit-RPM"), "1");
  EXPECT_EQ(r.field("X-RateLimit-Queue-Length"), "0");
  EXPECT_EQ(r.field("X-CircuitBreaker-State"), "CLOSED");
  EXPECT_EQ(r.field("x-should-retry"), "") << "a repeat helps";
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Queue, ExpectedWaitAboveTheMaximumIsRefusedAtOnce) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, one_a_minute);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const start = std::chrono::steady_clock::now();
  expect_refusal(p.fetch(chat("x", "Prefer: wait=20\r\n")), 429, "queue_timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 15s) << "not after waiting in vain";
}

TEST(Queue, PreferWaitExpires) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, one_at_a_time);
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  auto const start = std::chrono::steady_clock::now();
  auto const r = p.fetch(chat("x", "Prefer: wait=2\r\n"));
  auto const took = std::chrono::steady_clock::now() - start;
  expect_refusal(r, 429, "queue_timeout");
  EXPECT_GE(took, 2s);
  EXPECT_LT(took, 10s);
  EXPECT_GE(std::stod(r.field("X-RateLimit-Delay")), 2.0);
  EXPECT_EQ(p.queue_length(), 0U);
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Queue, FullByDepth) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.max_depth", "1"}});
  tcp_client first(p.port());
  tcp_client second(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  second.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  expect_refusal(p.fetch(chat()), 503, "queue_full");
  door.set();
  EXPECT_EQ(read_response(first).status, 200);
  EXPECT_EQ(read_response(second).status, 200);
}

TEST(Queue, FullByBytes) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(
      upstream,
      {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.max_bytes", "4KiB"}, {"server.max_body_size", "4KiB"}});
  tcp_client first(p.port());
  tcp_client second(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  second.send(chat(std::string(3000, 'x')));
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  expect_refusal(p.fetch(chat(std::string(3000, 'x'))), 503, "queue_full");
  tcp_client third(p.port());
  third.send(chat());
  EXPECT_TRUE(eventually([&] { return p.queue_length() == 2; })) << "a small one still fits";
  door.set();
  for (auto* c : {&first, &second, &third}) EXPECT_EQ(read_response(*c).status, 200);
}

TEST(Queue, BodiesBeingReadAreBoundedTogether) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.queue.max_bytes", "64KiB"}, {"server.max_body_size", "64KiB"}});
  auto const part = [](const std::string& path, const std::string& framing, const std::string& bytes) {
    return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n\r\n" + bytes;
  };
  std::string const counted = "Content-Length: 40000";
  std::string const chunked = "Transfer-Encoding: chunked\r\n\r\n7530";
  std::string const most(30'000, 'x');
  tcp_client first(p.port());
  tcp_client second(p.port());
  first.send(part("/v1/chat/completions", counted, most));
  second.send("POST /v1/files HTTP/1.1\r\nHost: h\r\n" + chunked + "\r\n" + most + "\r\n");
  ASSERT_TRUE(eventually([&] { return p.metric("cooldown_received_bytes_total") > 60'000; }));
  for (auto const& request :
       {part("/v1/files", counted, most), "POST /v1/x HTTP/1.1\r\nHost: h\r\n" + chunked + "\r\n" + most + "\r\n"}) {
    tcp_client third(p.port());
    third.send(request);
    expect_refusal(read_response(third), 503, "queue_full");
    EXPECT_TRUE(third.ends());
  }
  EXPECT_EQ(p.fetch(chat()).status, 200) << "a small one still fits";
  first.send(std::string(4'000, 'x'));
  second.close();
  EXPECT_TRUE(eventually([&] { return p.fetch(post_request("/v1/files", most)).status == 200; }));
}

TEST(Queue, UploadsOfOneClientLeaveRoomForOthersAndForItsSmallRequests) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response(completion())); });
  proxy p(upstream, {{"cerebras.queue.max_bytes", "8MiB"}, {"server.max_body_size", "1MiB"}});
  constexpr int size = 1 << 20;
  std::list<tcp_client> uploads;
  double received = 0;
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    auto& c = uploads.emplace_back(p.port());
    c.send("POST /v1/files HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size - 1, 'x'));
    std::string answer;
    ASSERT_TRUE(eventually([&] {
      answer += c.read_some(1ms);
      return !answer.empty() || p.metric("cooldown_received_bytes_total") >= received + size;
    }));
    if (!answer.empty()) {
      ++refused;
      EXPECT_THAT(answer, HasSubstr("HTTP/1.1 503"));
      EXPECT_THAT(answer, HasSubstr("share of cerebras.queue.max_bytes"));
    }
    received = p.metric("cooldown_received_bytes_total");
  }
  EXPECT_EQ(refused, 2);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(p.fetch(chat()).status, 200) << "a small one of the same client";
  EXPECT_EQ(p.fetch(chat(std::string(900'000, 'x'), "Authorization: Bearer another\r\n")).status, 200);
  EXPECT_EQ(p.fetch(chat(std::string(900'000, 'x'))).status, 503);
}

TEST(Queue, TooLargeForTheLimitIsRefusedAtOnce) {
  fake_upstream upstream(
      [](auto const&, tcp_client& c) { return c.send(ok_response(completion(), token_headers(1000, 900, "60"))); });
  proxy p(upstream);
  ASSERT_EQ(p.fetch(chat()).status, 200);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body("m", 5000)));
  expect_refusal(r, 413, "request_too_large_for_limit", false);
  EXPECT_EQ(r.field("x-should-retry"), "false");
  EXPECT_EQ(r.field("Retry-After"), "");
  auto const body = boost::json::parse(r.body);
  EXPECT_THAT(std::string(body.at("message").as_string()), HasSubstr("1000 tokens"));
  EXPECT_EQ(body.at("param").as_string(), "quota");
  EXPECT_EQ(upstream.count(), 1U);
}

TEST(Queue, KeepaliveCommentsThenTheStream) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0 && !door.wait()) return false;
    if (r.number == 0) return c.send(ok_response(completion()));
    return c.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "9\r\ndata: 1\n\n\r\nd\r\ndata: [DONE]\n\r\n0\r\n\r\n");
  });
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.keepalive_after", "100ms"}});
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  tcp_client streaming(p.port());
  streaming.send(chat("x", "", true));
  auto const head = streaming.read_until("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, HasSubstr("text/event-stream"));
  EXPECT_THAT(head, HasSubstr("X-RateLimit-Delay: "));
  EXPECT_THAT(streaming.read_until("\n\n"), HasSubstr(": queued, position "));
  door.set();
  auto const rest = streaming.read_until("0\r\n\r\n");
  EXPECT_THAT(rest, HasSubstr("data: 1\n\n"));
  EXPECT_THAT(rest, HasSubstr("data: [DONE]"));
  EXPECT_EQ(rest.find("HTTP/1.1"), std::string::npos) << "one head only";
  streaming.send(get_request("/health"));
  EXPECT_EQ(read_response(streaming).status, 200) << "the framing is sound";
}

TEST(Queue, RefusalAfterCommentsIsAnEvent) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.keepalive_after", "100ms"}});
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  auto const r = p.fetch(chat("x", "Prefer: wait=1\r\n", true));
  EXPECT_EQ(r.status, 200);
  EXPECT_TRUE(r.complete);
  EXPECT_THAT(r.body, StartsWith(": queued, position "));
  auto const at = r.body.find("data: ");
  ASSERT_NE(at, std::string::npos);
  auto const error = boost::json::parse(r.body.substr(at + 6));
  EXPECT_EQ(error.at("error").at("code").as_string(), "queue_timeout");
  EXPECT_EQ(error.at("status_code").as_int64(), 429);
  EXPECT_EQ(error.as_object().size(), 2U) << "no flat copy beside it";
}

TEST(Queue, ProvidersErrorAfterCommentsIsOneEvent) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    if (r.number == 0) return door.wait() && c.send(ok_response(completion()));
    return c.send(ok_response("{\n  \"message\": \"no\",\r\n\r\n  \"code\": \"bad\"\n}\n", "", 400));
  });
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.keepalive_after", "100ms"}});
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  tcp_client streaming(p.port());
  streaming.send(chat("x", "", true));
  ASSERT_THAT(streaming.read_until("\n\n"), HasSubstr("HTTP/1.1 200"));
  door.set();
  auto const rest = streaming.read_until("0\r\n\r\n");
  auto const at = rest.find("data: ");
  auto const end = rest.find("\n\n", at);
  ASSERT_NE(end, std::string::npos) << rest;
  auto const error = boost::json::parse(rest.substr(at + 6, end - at - 6)).at("error");
  EXPECT_EQ(error.at("code").as_string(), "bad") << rest;
}

TEST(Queue, NoCommentsForThoseWhoDoNotStream) {
  event door;
  fake_upstream upstream(behind(door));
  release_at_end const release(door);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.queue.keepalive_after", "100ms"}});
  tcp_client first(p.port());
  first.send(chat());
  ASSERT_TRUE(upstream.wait_for(1));
  expect_refusal(p.fetch(chat("x", "Prefer: wait=1\r\n")), 429, "queue_timeout");
}

TEST(Queue, RequestsOfOneConnectionWaitInOrder) {
  event door;
  fake_upstream upstream([&](auto const& r, tcp_client& c) {
    return door.wait() && c.send(ok_response("\"" + std::to_string(r.number) + "\""));
  });
  release_at_end const release(door);
  proxy p(upstream, one_at_a_time);
  tcp_client c(p.port());
  c.send(chat("a") + chat("b") + chat("c"));
  ASSERT_TRUE(upstream.wait_for(1));
  door.set();
  for (auto const* body : {"\"0\"", "\"1\"", "\"2\""}) EXPECT_EQ(read_response(c).body, body);
}
