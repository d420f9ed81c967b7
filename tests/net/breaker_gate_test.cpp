#include "cooldown/net/breaker_gate.hpp"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using answer = breaker_gate::answer;

namespace {

struct BreakerGate : ::testing::Test {
  asio::io_context io{1};
  circuit_breaker breaker{{.failure_threshold = 1, .open_for = 200ms, .half_open_requests = 1}};
  breaker_gate gate{io, breaker, [] {}};
  deadline_sweep sweep{io};
  tcp_socket client{io};

  struct visitor {
    visitor(deadline_sweep& sweep, tcp_socket& client) : ctl(sweep, client) {}
    interrupt ctl;
    std::optional<answer> got;
    breaker_gate::permit with;
  };
  std::vector<int> order;

  static task<void> visit(breaker_gate& gate, visitor& v, duration patience, std::vector<int>& order, int name,
                          time_point since) {
    auto const until = steady_now() + patience;
    auto const got = co_await gate.pass(until, v.ctl, since);
    v.got = got.got;
    v.with = got.with;
    order.push_back(name);
  }
  void come(visitor& v, duration patience = 10s, int name = 0, time_point since = steady_now()) {
    asio::co_spawn(io, visit(gate, v, patience, order, name, since), asio::detached);
    io.restart();
    io.poll();
  }
  void run_until(const visitor& v) {
    io.restart();
    auto const end = steady_now() + 10s;
    while (!v.got && steady_now() < end) io.run_one_for(100ms);
  }
  void open() {
    auto const yes = breaker.allow(steady_now());
    ASSERT_TRUE(yes);
    gate.failed(*yes);
    ASSERT_EQ(breaker.current(steady_now()), circuit_breaker::state::open);
  }
};

}  // namespace

TEST_F(BreakerGate, ClosedLetsEverybodyThroughAtOnce) {
  visitor v(sweep, client);
  come(v);
  EXPECT_EQ(v.got, answer::yes);
  EXPECT_EQ(gate.pass_at_once(steady_now()).got, answer::yes);
  EXPECT_TRUE(gate.admits(steady_now()));
  EXPECT_EQ(gate.held(), 0U);
}

TEST_F(BreakerGate, OpenHoldsUntilTheTrialThenOneAfterTheOther) {
  open();
  EXPECT_FALSE(gate.admits(steady_now()));
  visitor first(sweep, client);
  visitor second(sweep, client);
  visitor third(sweep, client);
  come(first, 10s, 1);
  come(second, 10s, 2);
  come(third, 10s, 3);
  EXPECT_EQ(gate.held(), 3U);
  run_until(first);
  EXPECT_EQ(first.got, answer::trial);
  EXPECT_FALSE(second.got);
  EXPECT_FALSE(gate.admits(steady_now())) << "nobody overtakes";
  EXPECT_EQ(gate.pass_at_once(steady_now()).got, answer::no) << "nobody overtakes";
  gate.succeeded(first.with);
  run_until(second);
  run_until(third);
  EXPECT_EQ(second.got, answer::yes);
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_EQ(gate.held(), 0U);
}

TEST_F(BreakerGate, AFailedTrialHoldsTheOthersAgain) {
  open();
  visitor first(sweep, client);
  visitor second(sweep, client);
  come(first);
  come(second);
  run_until(first);
  gate.failed(first.with);
  EXPECT_FALSE(second.got);
  run_until(second);
  EXPECT_EQ(second.got, answer::trial);
}

TEST_F(BreakerGate, WhoeverMayNotWaitIsToldSo) {
  open();
  visitor at_once(sweep, client);
  come(at_once, 0s);
  EXPECT_EQ(at_once.got, answer::no);
  visitor later(sweep, client);
  come(later, 20ms);
  EXPECT_FALSE(later.got);
  run_until(later);
  EXPECT_EQ(later.got, answer::no);
  EXPECT_EQ(gate.held(), 0U);
}

TEST_F(BreakerGate, ADepartureMakesRoomForTheNext) {
  open();
  visitor first(sweep, client);
  visitor second(sweep, client);
  come(first);
  come(second);
  first.ctl.fire(interruption::client_gone);
  run_until(first);
  EXPECT_EQ(first.got, answer::interrupted);
  run_until(second);
  EXPECT_EQ(second.got, answer::trial);
  gate.abandoned(second.with);
  EXPECT_TRUE(gate.admits(steady_now()));
}

TEST_F(BreakerGate, NewSettingsMayEndTheWait) {
  open();
  visitor v(sweep, client);
  come(v);
  breaker.configure({.failure_threshold = 0});
  gate.update();
  run_until(v);
  EXPECT_EQ(v.got, answer::yes);
}

TEST_F(BreakerGate, AVerdictFromBeforeItOpenedChangesNothing) {
  visitor early(sweep, client);
  come(early);
  ASSERT_EQ(early.got, answer::yes);
  open();
  visitor trial(sweep, client);
  come(trial);
  run_until(trial);
  ASSERT_EQ(trial.got, answer::trial);
  EXPECT_EQ(gate.held(), 1U);
  gate.failed(early.with);
  EXPECT_EQ(breaker.current(steady_now()), circuit_breaker::state::half_open);
  gate.abandoned(early.with);
  EXPECT_FALSE(gate.admits(steady_now())) << "the trial's place is taken";
  gate.succeeded(trial.with);
  EXPECT_EQ(breaker.current(steady_now()), circuit_breaker::state::closed);
  EXPECT_EQ(gate.held(), 0U);
}

TEST_F(BreakerGate, WhoComesBackHasTheTurnOfItsFirstComing) {
  open();
  auto const before = steady_now();
  visitor first(sweep, client), second(sweep, client), third(sweep, client);
  come(second, 10s, 2);
  come(third, 10s, 3);
  come(first, 10s, 1, before);
  for (auto* const v : {&first, &second, &third}) {
    run_until(*v);
    gate.succeeded(v->with);
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_F(BreakerGate, AllMayBeToldToAskAgain) {
  open();
  visitor v(sweep, client);
  come(v);
  EXPECT_FALSE(v.got);
  gate.ask_again();
  run_until(v);
  EXPECT_EQ(v.got, answer::no);
  EXPECT_EQ(gate.held(), 0U);
}
