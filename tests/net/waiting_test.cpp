// Where a request waits: what wakes it, what it shows meanwhile, and that its client is kept patient.
#include "cooldown/net/waiting.hpp"

#include <functional>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/net/app.hpp"

#include "lone_proxy.hpp"
#include "socket_pair.hpp"

using namespace cooldown;
using namespace cooldown::net;
using namespace cooldown::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using kind = admission::result::what;
using got = breaker_gate::answer;

namespace {

struct Waiting : ::testing::Test {
  asio::io_context io{1};
  config::settings settings = [] {
    auto s = settings_of_lone_proxy();
    s.cerebras.queue.max_in_flight = 1;
    s.cerebras.circuit_breaker.failure_threshold = 1;
    s.cerebras.circuit_breaker.half_open_requests = 1;
    s.cerebras.circuit_breaker.open_for = 1h;
    return s;
  }();
  observe::log log{settings.logging};
  app shared{io, settings, log};
  destination_ptr const at_ptr = shared.upstreams.first();
  destination& at = *at_ptr;
  socket_pair front{io};
  client_connection c{std::move(front.near), shared.port, role::proxy};
  request r{shared.port.bodies};
  exchange_record record{c, at_ptr, r};
  client_writer writer{c, r, record, settings};
  std::string came;

  ticket_id submit() {
    ticket_facts t;
    t.scope.model = "m";
    t.max_wait = 10min;
    auto const decided = at.limiter.submit(t, steady_now());
    if (auto const* const now = std::get_if<go>(&decided)) return now->id;
    return std::get<queued>(decided).id;
  }
  void open_breaker() {
    auto& provider = at.provider();
    provider.breaker.failed(*provider.breaker.allow(steady_now()), steady_now());
    EXPECT_FALSE(provider.gate.admits(steady_now()));
  }
  /// Until the breaker may be tried.
  void reload_with_open_for(config::milliseconds how_long) {
    settings.cerebras.circuit_breaker.open_for = how_long;
    shared.reconfigure(settings);
  }

  template <class T>
  static task<void> wait_for(task<T> what, std::optional<T>& out) {
    auto r = co_await std::move(what);
    out = std::move(r);
  }
  template <class T>
  void start(task<T> what, std::optional<T>& out) {
    asio::co_spawn(io, wait_for(std::move(what), out), asio::detached);
  }
  bool until(const std::function<bool()>& so) {
    return run_until(io, [&] {
      came += front.far.read();
      return so();
    });
  }
};

}  // namespace

TEST_F(Waiting, AReleaseEndsTheWaitForQuota) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard first(at.gate, submit());
  ticket_guard const second(at.gate, submit());
  std::optional<admission::result> woken;
  start(w.for_quota(at, second.id(), false), woken);
  EXPECT_TRUE(until([&] { return c.where == phase::queued; }));
  first.settle(0, std::nullopt);
  EXPECT_TRUE(until([&] { return woken.has_value(); }));
  EXPECT_EQ(woken->kind, kind::released);
  EXPECT_EQ(c.where, phase::exchanging);
  EXPECT_EQ(came, "") << "nobody asked for comments";
}

TEST_F(Waiting, ACommentTellsThePlaceInTheQueue) {
  waiting w(c, record, writer, 1ms);
  ticket_guard const first(at.gate, submit());
  ticket_guard const second(at.gate, submit());
  std::optional<admission::result> woken;
  start(w.for_quota(at, second.id(), false), woken);
  EXPECT_TRUE(until([&] { return came.find(": queued, position 1") != std::string::npos; })) << came;
  EXPECT_THAT(came, StartsWith("HTTP/1.1 200 OK\r\n"));
  c.ctl.fire(interruption::client_gone);
  EXPECT_TRUE(until([&] { return woken.has_value(); }));
  EXPECT_EQ(woken->kind, kind::interrupted);
}

TEST_F(Waiting, AClientThatTakesNoCommentHasLeft) {
  waiting w(c, record, writer, 1ms);
  ticket_guard const first(at.gate, submit());
  ticket_guard const second(at.gate, submit());
  std::optional<admission::result> woken;
  start(w.for_quota(at, second.id(), false), woken);
  front.far.close();
  EXPECT_TRUE(run_until(io, [&] { return woken.has_value(); }));
  EXPECT_EQ(woken->kind, kind::interrupted);
  EXPECT_EQ(c.ctl.why(), interruption::client_gone);
}

TEST_F(Waiting, DuringShutdownNobodyBeginsToWait) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const first(at.gate, submit());
  ticket_guard const second(at.gate, submit());
  shared.port.draining = true;
  std::optional<admission::result> woken;
  start(w.for_quota(at, second.id(), false), woken);
  EXPECT_TRUE(until([&] { return woken.has_value(); }));
  EXPECT_EQ(c.ctl.why(), interruption::draining);
}

TEST_F(Waiting, DuringShutdownWhatIsInProgressGoesOnIfItNeedNotWait) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const first(at.gate, submit());
  at.limiter.renew(first.id(), steady_now(), false);
  at.gate.update();
  shared.port.draining = true;
  std::optional<admission::result> woken;
  start(w.for_quota(at, first.id(), true), woken);
  EXPECT_TRUE(until([&] { return woken.has_value(); }));
  EXPECT_EQ(woken->kind, kind::released);
  EXPECT_FALSE(c.ctl.fired());
}

TEST_F(Waiting, AClosedBreakerLetsGoAtOnce) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const mine(at.gate, submit());
  std::optional<breaker_answer> told;
  start(w.for_breaker(at, mine.id(), steady_now() + 1h), told);
  EXPECT_TRUE(until([&] { return told.has_value(); }));
  EXPECT_EQ(told->passage.got, got::yes);
  EXPECT_EQ(told->of, at.upstream_of_now());
}

TEST_F(Waiting, WhoeverWaitsForTheBreakerShowsAsWaitingAndIsKeptPatient) {
  waiting w(c, record, writer, 1ms);
  ticket_guard const mine(at.gate, submit());
  open_breaker();
  std::optional<breaker_answer> told;
  start(w.for_breaker(at, mine.id(), steady_now() + 1h), told);
  EXPECT_TRUE(until([&] { return at.held.size() == 1 && came.find(": queued\n\n") != std::string::npos; })) << came;
  EXPECT_EQ(c.where, phase::queued);
  reload_with_open_for(1ms);
  EXPECT_TRUE(until([&] { return told.has_value(); }));
  EXPECT_EQ(told->passage.got, got::trial);
  EXPECT_EQ(at.held.size(), 0U);
  EXPECT_EQ(record.line.held_by, constraint::circuit_breaker);
  at.provider().gate.abandoned(told->passage.with);
}

TEST_F(Waiting, TheWaitForTheBreakerHasAnEnd) {
  waiting w(c, record, writer, std::nullopt);
  open_breaker();
  std::optional<breaker_answer> told;
  start(w.for_breaker(at, 0, steady_now() + 5ms), told);
  EXPECT_TRUE(until([&] { return told.has_value(); }));
  EXPECT_EQ(told->passage.got, got::no);
  EXPECT_EQ(at.held.size(), 0U);
}

TEST_F(Waiting, AReloadThatNamesAnotherProviderEndsTheWaitForTheBreakerOfBefore) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const mine(at.gate, submit());
  open_breaker();
  std::optional<breaker_answer> told;
  start(w.for_breaker(at, mine.id(), steady_now() + 1h), told);
  EXPECT_TRUE(until([&] { return at.held.size() == 1; }));
  settings.cerebras.base_url.port = 2;
  shared.reconfigure(settings);
  EXPECT_TRUE(until([&] { return told.has_value(); }));
  EXPECT_EQ(told->passage.got, got::yes);
  EXPECT_EQ(told->of, at.upstream_of_now());
}

TEST_F(Waiting, APauseShowsAsWaitingAndEndsByItself) {
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const mine(at.gate, submit());
  std::optional<bool> still_here;
  start(w.pause(at, mine.id(), 5ms), still_here);
  EXPECT_TRUE(until([&] { return at.held.size() == 1; }));
  EXPECT_TRUE(until([&] { return still_here.has_value(); }));
  EXPECT_TRUE(*still_here);
  EXPECT_EQ(at.held.size(), 0U);
}

TEST_F(Waiting, APauseEndsWithItsClient) {
  waiting w(c, record, writer, std::nullopt);
  std::optional<bool> still_here;
  start(w.pause(at, 0, 1h), still_here);
  io.poll();
  EXPECT_EQ(at.held.size(), 0U) << "without a ticket it has no place to keep";
  c.ctl.fire(interruption::client_gone);
  EXPECT_TRUE(until([&] { return still_here.has_value(); }));
  EXPECT_FALSE(*still_here);
}

TEST_F(Waiting, WhoWaitsForTheBreakerGoesElsewhereAsSoonAsThatIsPossible) {
  open_breaker();
  waiting w(c, record, writer, std::nullopt);
  ticket_guard const ticket(at.gate, submit());
  bool elsewhere = false;
  unsigned asked = 0;
  std::function<bool()> const served_elsewhere = [&] {
    ++asked;
    return elsewhere;
  };
  std::optional<breaker_answer> answer;
  start(w.for_breaker(at, ticket.id(), steady_now() + 1h, &served_elsewhere), answer);
  EXPECT_TRUE(until([&] { return at.provider().gate.held() == 1; }));
  EXPECT_EQ(asked, 1U);
  elsewhere = true;
  at.provider().gate.ask_again();
  EXPECT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_TRUE(answer->leaves);
  EXPECT_EQ(at.provider().gate.held(), 0U);
}
