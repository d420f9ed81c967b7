// Changed clocks, suspended machines, stopped processes.
#include <array>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;

namespace {

/// The proxy's clocks, to be moved while it runs (support/shifted_clock.cpp).
class clocks {
 public:
  clocks() : path_(directory_.file("shifts", std::string(16, '\0'))) {}

  /// The machine sleeps: time passes, the monotonic clock stands still.
  void sleep(std::chrono::nanoseconds d) { shift(d, d); }
  /// Somebody sets the wall clock.
  void set_wall(std::chrono::nanoseconds ahead) { shift({}, ahead); }

  std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" SHIFTED_CLOCK_LIBRARY, "SHIFTED_CLOCK=" + path_,
            // AddressSanitizer wants to be the first library, or be told that it need not.
            "ASAN_OPTIONS=verify_asan_link_order=0"};
  }

 private:
  void shift(std::chrono::nanoseconds boot, std::chrono::nanoseconds wall) {
    shifts_[0] += boot.count();
    shifts_[1] += wall.count();
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.write(reinterpret_cast<const char*>(shifts_.data()), sizeof shifts_);
  }

  temporary_directory directory_;
  std::string path_;
  std::array<std::int64_t, 2> shifts_{};
};

std::string chat(bool stream = false) {
  return post_request("/v1/chat/completions", chat_body("m", 10, stream));
}

std::string event_stream_head() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
}

/// The limit is used up after the first answer, until `reset`.
fake_upstream::handler used_up_until(std::function<std::string()> reset) {
  return [reset = std::move(reset)](auto const& r, tcp_client& c) {
    return c.send(ok_response(completion(), token_headers(1000, r.number == 0 ? 0 : 900, reset())));
  };
}

std::string epoch_in(std::chrono::milliseconds d) {
  auto const then = std::chrono::system_clock::now() + d;
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(then.time_since_epoch()).count());
}

std::string date_now() {
  auto const now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 64> text{};
  auto const size =
      std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", ::gmtime_r(&now, &parts));
  return {text.data(), size};
}

}  // namespace

TEST(Suspend, AQuotaThatRefilledMeanwhileIsUsedAtOnce) {
  clocks c;
  fake_upstream upstream(used_up_until([] { return "600"; }));
  proxy p(upstream, {{"cerebras.queue.max_wait", "1h"}}, c.environment());
  ASSERT_EQ(p.fetch(chat()).status, 200);
  tcp_client waiting(p.port());
  waiting.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  c.sleep(10min);
  auto const r = read_response(waiting);
  EXPECT_EQ(r.status, 200);
  EXPECT_GE(std::stod(r.field("X-RateLimit-Delay")), 600.0) << "the client has waited as long as it slept";
}

TEST(Suspend, StreamsGoOnAfterwards) {
  clocks c;
  event started;
  event woken;
  fake_upstream upstream([&](auto const&, tcp_client& to) {
    to.send(event_stream_head() + "9\r\ndata: 1\n\n\r\n");
    started.set();
    if (!woken.wait()) return false;
    return to.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  release_at_end const release(woken);
  proxy p(upstream, {{"cerebras.timeouts.idle", "10s"}, {"server.header_timeout", "1s"}}, c.environment());
  tcp_client streaming(p.port());
  streaming.send(chat(true));
  ASSERT_TRUE(started.wait());
  ASSERT_TRUE(eventually([&] { return p.in_flight() == 1; }));
  c.sleep(10min);
  // A request that times out by a round of the deadlines after the sleep: the stream has gone through it too.
  tcp_client slow(p.port());
  slow.send("GET /");
  EXPECT_EQ(read_response(slow).status, 408);
  woken.set();
  auto const r = read_response(streaming);
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "data: 1\n\ndata: 2\n\n");
}

TEST(StoppedProcess, GoesOnWhereItWas) {
  clocks c;
  event started;
  event sent;
  fake_upstream upstream([&](auto const& r, tcp_client& to) {
    if (r.number > 0) return to.send(ok_response(completion()));
    to.send(event_stream_head() + "9\r\ndata: 1\n\n\r\n");
    started.set();
    if (!sent.wait()) return false;
    return to.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  });
  release_at_end const release(sent);
  proxy p(upstream, {{"cerebras.queue.max_in_flight", "1"}, {"cerebras.timeouts.idle", "5s"}}, c.environment());
  tcp_client streaming(p.port());
  streaming.send(chat(true));
  ASSERT_TRUE(started.wait());
  tcp_client queued(p.port());
  queued.send(chat());
  ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
  p.program().signal(SIGSTOP);
  c.sleep(10s);
  sent.set();
  p.program().signal(SIGCONT);
  auto const r = read_response(streaming);
  EXPECT_TRUE(r.complete);
  EXPECT_EQ(r.body, "data: 1\n\ndata: 2\n\n");
  EXPECT_EQ(read_response(queued).status, 200);
}

TEST(ClockJump, MovesNoReset) {
  for (auto const jump : {24h, -24h}) {
    clocks c;
    fake_upstream upstream(used_up_until([] { return epoch_in(4s); }));
    proxy p(upstream, {}, c.environment());
    ASSERT_EQ(p.fetch(chat()).status, 200);
    tcp_client waiting(p.port());
    waiting.send(chat());
    ASSERT_TRUE(eventually([&] { return p.queue_length() == 1; }));
    c.set_wall(jump);
    EXPECT_EQ(read_response(waiting).status, 200);
    auto const seen = upstream.seen();
    EXPECT_GE(seen[1].at - seen[0].at, 3900ms);
    EXPECT_LT(seen[1].at - seen[0].at, 20s);
  }
}

TEST(ClockJump, AWrongClockReadsTheProvidersTimesByItsDate) {
  clocks c;
  c.set_wall(-48h);
  fake_upstream upstream([](auto const& r, tcp_client& to) {
    return to.send(ok_response(completion(), token_headers(1000, r.number == 0 ? 0 : 900, epoch_in(4s)) + date_now()));
  });
  proxy p(upstream, {}, c.environment());
  ASSERT_EQ(p.fetch(chat()).status, 200);
  EXPECT_EQ(p.fetch(chat()).status, 200);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, 3900ms);
  EXPECT_LT(seen[1].at - seen[0].at, 20s);
}
