// What a change at one upstream tells those that wait at another.
#include "cooldown/net/upstreams.hpp"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "lone_proxy.hpp"
#include "run_until.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;

namespace {

/// One request waits for quota at `cerebras`, beside which there is b.
struct AskingAgain : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
  settings_ptr settings = [] {
    auto s = std::make_shared<config::settings>(settings_of_lone_proxy());
    s->cerebras.queue.max_in_flight = 1;
    auto& b = s->upstreams.emplace_back();
    b.name = "b";
    b.base_url = s->cerebras.base_url;
    b.circuit_breaker.failure_threshold = 1;
    b.circuit_breaker.half_open_requests = 1;
    b.circuit_breaker.open_for = 0ms;
    return s;
  }();
  upstreams all{io, sweep, settings};
  destination& home = *all.all()[0];
  destination& other = *all.all()[1];
  tcp_socket client{io};
  interrupt ctl{sweep, client};
  std::optional<admission::result> woken;

  static task<void> wait(destination& at, ticket_id id, interrupt& ctl, std::optional<admission::result>& woken) {
    auto const result = co_await at.gate.wait(id, time_point::max(), ctl);
    woken = result;
  }
  ticket_id submit() {
    ticket_facts t;
    t.scope.model = "m";
    auto const decided = home.limiter.submit(t, steady_now());
    auto const* const now = std::get_if<go>(&decided);
    return now ? now->id : std::get<queued>(decided).id;
  }
  void SetUp() override {
    submit();
    asio::co_spawn(io, wait(home, submit(), ctl, woken), asio::detached);
    io.poll();
    ASSERT_FALSE(woken);
  }
  bool is_asked() {
    return run_until(io, [&] { return woken.has_value(); }) && woken->kind == admission::result::what::still_waiting;
  }
};

}  // namespace

TEST_F(AskingAgain, WhenAnotherIsResumed) {
  EXPECT_TRUE(all.pause("b", false));
  EXPECT_TRUE(is_asked());
}

TEST_F(AskingAgain, WhenTheBreakerOfAnotherCloses) {
  auto& b = other.provider();
  b.gate.failed(*b.breaker.allow(steady_now()));
  io.poll();
  EXPECT_FALSE(woken) << "it takes one trial, which is not for all";
  b.gate.succeeded(*b.breaker.allow(steady_now()));
  EXPECT_TRUE(is_asked());
}

TEST_F(AskingAgain, WhenAReloadHasChangedWhereRequestsMayGo) {
  all.apply(all.prepare(settings));
  EXPECT_TRUE(is_asked());
}
