#include "cooldown/net/interrupt.hpp"

#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;

namespace {

struct recorder final : deadline_sweep::entry {
  explicit recorder(deadline_sweep& sweep) : entry(sweep) {}
  void expired() override {
    ++times;
    at = steady_now();
    if (then) then();
  }
  int times = 0;
  time_point at{};
  std::function<void()> then;
};

struct Sweep : ::testing::Test {
  asio::io_context io{1};
  deadline_sweep sweep{io};
};

struct Interrupt : Sweep {
  tcp_socket client{io};
  interrupt ctl{sweep, client};
};

task<void> sleep_under(steady_timer& timer, interrupt& ctl, error_code& out) {
  interrupt::watching<steady_timer> const watched(ctl, timer);
  auto [ec] = co_await timer.async_wait(tok);
  out = ec;
}

}  // namespace

using DeadlineSweep = Sweep;

TEST_F(DeadlineSweep, NeverEarlyAndAtMostOneRoundLate) {
  std::vector<std::unique_ptr<recorder>> entries;
  auto const start = steady_now();
  for (int i = 0; i < 20; ++i) {
    entries.push_back(std::make_unique<recorder>(sweep));
    entries.back()->set(25ms * i);
  }
  io.run();
  for (int i = 0; i < 20; ++i) {
    auto const& e = *entries[static_cast<std::size_t>(i)];
    EXPECT_EQ(e.times, 1);
    EXPECT_GE(e.at - start, 25ms * i);
    EXPECT_LT(e.at - start, 25ms * i + 10 * deadline_sweep::resolution) << "generous: the machine may be busy";
  }
}

TEST_F(DeadlineSweep, WithoutEntriesTheLoopRunsDry) {
  recorder e(sweep);
  e.set(1h);
  e.clear();
  io.run();
  EXPECT_EQ(e.times, 0);
}

TEST_F(DeadlineSweep, ExtendingMovesItByWhatWasEarnedUpToTheMost) {
  recorder earned(sweep);
  recorder bounded(sweep);
  recorder cleared(sweep);
  auto const start = steady_now();
  earned.set(50ms);
  earned.extend(300ms, 1h);
  bounded.set(50ms);
  bounded.extend(1h, 250ms);
  cleared.extend(1ms, 1h);
  earned.then = [&] { EXPECT_EQ(bounded.times, 1) << "it ends first"; };
  io.run();
  EXPECT_EQ(earned.times, 1);
  EXPECT_GE(earned.at - start, 350ms);
  EXPECT_EQ(bounded.times, 1);
  EXPECT_GE(bounded.at - start, 250ms);
  EXPECT_EQ(cleared.times, 0) << "there was none to move";
}

TEST_F(DeadlineSweep, SettingAgainMovesTheDeadline) {
  recorder moved(sweep);
  recorder other(sweep);
  moved.set(10ms);
  moved.set(400ms);
  other.set(100ms);
  other.then = [&] { EXPECT_EQ(moved.times, 0); };
  io.run();
  EXPECT_EQ(moved.times, 1);
  EXPECT_GE(moved.at, other.at);
}

TEST_F(DeadlineSweep, MaySetItselfAgainWhenExpired) {
  recorder e(sweep);
  e.then = [&] {
    if (e.times < 3) e.set(1ms);
  };
  e.set(1ms);
  io.run();
  EXPECT_EQ(e.times, 3);
}

TEST_F(DeadlineSweep, AnExpiredEntryMayEndAnyOther) {
  // Whichever comes first ends all the others, itself staying: the sweep must not touch what is gone.
  std::vector<std::unique_ptr<recorder>> entries;
  int expired = 0;
  entries.reserve(5);
  for (int i = 0; i < 5; ++i) entries.push_back(std::make_unique<recorder>(sweep));
  for (auto& e : entries) {
    e->then = [&, self = e.get()] {
      ++expired;
      for (auto& other : entries)
        if (other.get() != self) other.reset();
    };
    e->set(1ms);
  }
  io.run();
  EXPECT_EQ(expired, 1);
}

TEST_F(DeadlineSweep, EntriesMadeWhileSweepingAreKept) {
  std::unique_ptr<recorder> late;
  recorder e(sweep);
  e.then = [&] {
    late = std::make_unique<recorder>(sweep);
    late->set(1ms);
  };
  e.set(1ms);
  io.run();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->times, 1);
}

TEST_F(DeadlineSweep, TimeInWhichNobodyRanCountsForNoDeadline) {
  recorder e(sweep);
  e.set(300ms);
  time_point back{};
  asio::post(io, [&] {
    std::this_thread::sleep_for(deadline_sweep::away + 500ms);
    back = steady_now();
  });
  io.run();
  EXPECT_EQ(e.times, 1);
  EXPECT_GE(e.at - back, 300ms - deadline_sweep::resolution);
}

TEST_F(Interrupt, AClientKeepsItsDeadlineAwayAsLongAsItTakesWhatWaitsForIt) {
  cooldown::testing::socket_pair pair(io);
  interrupt of_client(sweep, pair.near);
  std::string const piece(64 * 1024, 'x');
  error_code full;
  while (!full) pair.near.write_some(asio::buffer(piece), full);
  of_client.set_for_taking(1h);
  EXPECT_EQ(pair.far.read(64 * 1024).size(), 64 * 1024U);
  of_client.expired();
  EXPECT_FALSE(of_client.fired()) << "it has taken 64 KiB";
  of_client.expired();
  EXPECT_EQ(of_client.why(), interruption::timeout) << "it has taken nothing since";
}

TEST_F(Interrupt, WhatAClientTakesEarnsNothingForAnotherDeadline) {
  cooldown::testing::socket_pair pair(io);
  interrupt of_client(sweep, pair.near);
  ASSERT_EQ(pair.near.write_some(asio::buffer("x", 1)), 1U);
  of_client.set_for_taking(1h);
  of_client.set(1h);
  EXPECT_EQ(pair.far.read().size(), 1U);
  of_client.expired();
  EXPECT_EQ(of_client.why(), interruption::timeout);
}

TEST_F(Interrupt, FirstReasonStays) {
  EXPECT_FALSE(ctl.fired());
  ctl.fire(interruption::client_gone);
  ctl.fire(interruption::draining);
  EXPECT_EQ(ctl.why(), interruption::client_gone);
  ctl.reset();
  EXPECT_FALSE(ctl.fired());
  ctl.fire(interruption::draining);
  EXPECT_EQ(ctl.why(), interruption::draining);
}

TEST_F(Interrupt, FiringWakesTheWatchedTimer) {
  steady_timer timer(io);
  timer.expires_after(1h);
  error_code ec;
  asio::co_spawn(io, sleep_under(timer, ctl, ec), asio::detached);
  asio::post(io, [&] { ctl.fire(interruption::draining); });
  io.run();
  EXPECT_EQ(ec, asio::error::operation_aborted);
  // The timer is no longer watched: this must not touch it.
  ctl.reset();
  ctl.fire(interruption::client_gone);
}

TEST_F(Interrupt, DeadlineFiresATimeout) {
  steady_timer timer(io);
  timer.expires_after(1h);
  error_code ec;
  ctl.set(10ms);
  asio::co_spawn(io, sleep_under(timer, ctl, ec), asio::detached);
  io.run();
  EXPECT_EQ(ec, asio::error::operation_aborted);
  EXPECT_EQ(ctl.why(), interruption::timeout);
}

TEST_F(Interrupt, FiringEndsTheDeadline) {
  ctl.set(50ms);
  ctl.fire(interruption::client_gone);
  ctl.reset();
  io.run();
  EXPECT_FALSE(ctl.fired()) << "the old deadline struck the next wait";
}

TEST_F(Interrupt, WatchingEndsWithItsScopeAndNests) {
  steady_timer outer(io);
  steady_timer inner(io);
  outer.expires_after(1h);
  inner.expires_after(1h);
  bool outer_woken = false;
  bool inner_woken = false;
  outer.async_wait([&](error_code ec) { outer_woken = ec == asio::error::operation_aborted; });
  inner.async_wait([&](error_code) { inner_woken = true; });
  interrupt::watching<steady_timer> const watched(ctl, outer);
  { interrupt::watching<steady_timer> const nested(ctl, inner); }
  ctl.fire(interruption::draining);
  io.poll();
  EXPECT_TRUE(outer_woken);
  EXPECT_FALSE(inner_woken);
  inner.cancel();
  io.run();
}
