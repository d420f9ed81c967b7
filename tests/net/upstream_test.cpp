// What a reload keeps of a provider, and what happens to requests for the previous one.
#include "cooldown/net/upstream.hpp"

#include <fstream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "support/tls.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;

namespace {

struct Upstream : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  config::settings settings = [] {
    config::settings s;
    s.cerebras.base_url = {.tls = false, .host = "127.0.0.1", .port = 9, .prefix = "/a"};
    s.cerebras.circuit_breaker.failure_threshold = 1;
    return s;
  }();

  std::shared_ptr<provider> make(const std::shared_ptr<provider>& before = nullptr) {
    return make_provider(
        io, sweep, settings.cerebras, "cerebras", [] {}, before);
  }
  static void copy(const std::string& from, const std::string& to) { std::ofstream(to) << std::ifstream(from).rdbuf(); }
};

}  // namespace

TEST_F(Upstream, TheSamePeerKeepsItsConnectionsAndItsHealth) {
  auto const before = make();
  settings.cerebras.api_key = "another";
  settings.cerebras.base_url.prefix = "/b";
  settings.cerebras.timeouts.connect = 1s;
  auto const now = make(before);
  EXPECT_EQ(now, before);
}

TEST_F(Upstream, AnotherPeerBeginsAnew) {
  auto const before = make();
  auto const permit = before->breaker.allow(steady_now());
  before->breaker.failed(*permit, steady_now());
  ASSERT_NE(before->breaker.current(steady_now()), circuit_breaker::state::closed);
  settings.cerebras.base_url.port = 10;
  auto const now = make(before);
  EXPECT_NE(now, before);
  EXPECT_EQ(now->breaker.current(steady_now()), circuit_breaker::state::closed);
}

TEST_F(Upstream, WhoWaitsForTheBreakerOfBeforeIsSentAway) {
  auto const before = make();
  auto const permit = before->breaker.allow(steady_now());
  before->breaker.failed(*permit, steady_now());
  tcp_socket client(io);
  interrupt ctl(sweep, client);
  std::optional<breaker_gate::answer> got;
  auto const wait = [&]() -> task<void> {
    auto const p = co_await before->gate.pass(steady_now() + 1h, ctl);
    got = p.got;
  };
  asio::co_spawn(io, wait(), asio::detached);
  io.poll();
  ASSERT_FALSE(got);
  before->retire();
  io.restart();
  io.poll();
  EXPECT_EQ(got, breaker_gate::answer::no);
  EXPECT_EQ(before->gate.held(), 0U);
}

TEST_F(Upstream, AuthoritiesAreKnownByWhatIsInTheirFile) {
  cooldown::testing::authority const one;
  cooldown::testing::authority const two;
  cooldown::testing::temporary_directory const place;
  auto const file = place.path("ca.pem");
  copy(one.file(), file);
  settings.cerebras.base_url.tls = true;
  settings.cerebras.tls.ca_file = file;
  auto const before = make();
  settings.cerebras.tls.ca_file = one.file();
  EXPECT_EQ(make(before), before) << "the same ones, under another name";
  settings.cerebras.tls.ca_file = file;
  copy(two.file(), file);
  EXPECT_NE(make(before), before);
  copy("/dev/null", file);
  EXPECT_THROW(make(before), std::runtime_error);
}
