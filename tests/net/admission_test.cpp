#include "cooldown/net/admission.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

namespace {

using kind = admission::result::what;

limiter_settings one_at_a_time() {
  limiter_settings s;
  s.quota.use_headers = false;
  s.quota.rpm_limit = 1e6;
  s.quota.tpm_limit = 1e9;
  s.max_in_flight = 1;
  return s;
}

struct Admission : ::testing::Test {
  asio::io_context io{1};
  cerebras_limiter limiter{one_at_a_time()};
  admission gate{io, limiter};
  deadline_sweep sweep{io};
  tcp_socket client{io};
  interrupt ctl{sweep, client};

  static ticket_facts facts(duration max_wait = 10min) {
    ticket_facts f;
    f.scope.model = "m";
    f.size.max_output_tokens = 10;
    f.max_wait = max_wait;
    return f;
  }
  /// A ticket that has gone.
  ticket_id go_now() { return std::get<go>(limiter.submit(facts(), steady_now())).id; }
  ticket_id join(duration max_wait = 10min) {
    auto const id = std::get<queued>(limiter.submit(facts(max_wait), steady_now())).id;
    gate.update();
    return id;
  }
};

struct visitor {
  explicit visitor(admission& g, ticket_id id) : guard(g, id) {}
  ticket_guard guard;
  std::optional<kind> ended;
  std::optional<reason> refused_for;
};

/// Runs the loop until the visit is over; its admission timer may have a long time to go.
void run_until_over(asio::io_context& io, const visitor& v) {
  io.restart();
  auto const end = steady_now() + 10s;
  while (!v.ended && steady_now() < end) io.run_one_until(end);
}

task<void> visit(admission& gate, visitor& v, interrupt& ctl, time_point until, std::vector<ticket_id>& order) {
  auto const r = co_await gate.wait(v.guard.id(), until, ctl);
  v.ended = r.kind;
  if (r.kind == kind::refused) v.refused_for = r.why.why;
  order.push_back(v.guard.id());
}

/// Waits, and settles as soon as it is let go.
task<void> visit_and_settle(admission& gate, ticket_id id, interrupt& ctl, std::vector<ticket_id>& order) {
  ticket_guard guard(gate, id);
  auto const r = co_await gate.wait(id, time_point::max(), ctl);
  if (r.kind == kind::released) order.push_back(id);
  guard.settle(5, std::nullopt);
}

}  // namespace

TEST_F(Admission, WakesInOrder) {
  std::vector<ticket_id> joined;
  std::vector<ticket_id> order;
  {
    ticket_guard const first(gate, go_now());
    for (int i = 0; i < 10; ++i) {
      joined.push_back(join());
      asio::co_spawn(io, visit_and_settle(gate, joined.back(), ctl, order), asio::detached);
    }
    io.poll();
    EXPECT_TRUE(order.empty());
    EXPECT_EQ(limiter.queue_length(), 10U);
  }
  io.run();
  EXPECT_EQ(order, joined);
  EXPECT_EQ(limiter.queue_length(), 0U);
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST_F(Admission, DecisionBeforeTheWaitIsNotLost) {
  auto first = std::make_unique<ticket_guard>(gate, go_now());
  visitor v(gate, join());
  first.reset();  // decides for the other, for whom nobody waits yet
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  io.run();
  EXPECT_EQ(v.ended, kind::released);
}

TEST_F(Admission, GuardGivesAReleasedTicketBack) {
  {
    ticket_guard const guard(gate, go_now());
    EXPECT_EQ(limiter.in_flight(), 1U);
  }
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST_F(Admission, GuardLeavesTheQueue) {
  ticket_guard const first(gate, go_now());
  {
    ticket_guard const waiting(gate, join());
    EXPECT_EQ(limiter.queue_length(), 1U);
  }
  EXPECT_EQ(limiter.queue_length(), 0U);
  EXPECT_EQ(limiter.in_flight(), 1U);
}

TEST_F(Admission, NotSentLeavesInEitherState) {
  ticket_guard first(gate, go_now());
  ticket_guard waiting(gate, join());
  waiting.not_sent();
  EXPECT_EQ(limiter.queue_length(), 0U);
  first.not_sent();
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST_F(Admission, MovedGuardGivesBackOnce) {
  auto const id = go_now();
  ticket_guard first(gate, id);
  {
    ticket_guard const second(std::move(first));
    EXPECT_EQ(limiter.in_flight(), 1U);
  }
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST_F(Admission, EndOfItsTimeIsARefusal) {
  ticket_guard const first(gate, go_now());
  visitor v(gate, join(50ms));
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  io.run();
  EXPECT_EQ(v.ended, kind::refused);
  EXPECT_EQ(v.refused_for, reason::queue_timeout);
  EXPECT_EQ(limiter.queue_length(), 0U);
}

TEST_F(Admission, UntilPassesAndTheWaitGoesOn) {
  auto first = std::make_unique<ticket_guard>(gate, go_now());
  visitor v(gate, join());
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, steady_now() + 20ms, order), asio::detached);
  run_until_over(io, v);
  EXPECT_EQ(v.ended, kind::still_waiting);
  EXPECT_EQ(limiter.queue_length(), 1U);
  first.reset();
  io.restart();
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  io.run();
  EXPECT_EQ(v.ended, kind::released);
}

TEST_F(Admission, InterruptEndsTheWait) {
  ticket_guard const first(gate, go_now());
  visitor v(gate, join());
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  asio::post(io, [&] { ctl.fire(interruption::client_gone); });
  run_until_over(io, v);
  EXPECT_EQ(v.ended, kind::interrupted);
}

TEST_F(Admission, ReleaseThatCrossesAnInterruptIsGivenBack) {
  auto first = std::make_unique<ticket_guard>(gate, go_now());
  visitor v(gate, join());
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  io.poll();
  ctl.fire(interruption::draining);
  first.reset();  // releases the other before it has noticed
  run_until_over(io, v);
  EXPECT_EQ(v.ended, kind::interrupted);
  v.guard.not_sent();
  EXPECT_EQ(limiter.in_flight(), 0U);
  EXPECT_EQ(limiter.queue_length(), 0U);
}

TEST_F(Admission, TimerReleasesAtTheRightTime) {
  auto settings = one_at_a_time();
  settings.max_in_flight = 0;
  limiter.configure(settings, steady_now());
  ticket_guard const first(gate, go_now());
  settings.quota.rpm_limit = 1;
  limiter.configure(settings, steady_now());
  visitor v(gate, join());
  std::vector<ticket_id> order;
  asio::co_spawn(io, visit(gate, v, ctl, time_point::max(), order), asio::detached);
  io.run_for(50ms);
  EXPECT_FALSE(v.ended) << "a minute is not over";
  settings.quota.rpm_limit = 100;
  limiter.configure(settings, steady_now());
  gate.update();
  run_until_over(io, v);
  EXPECT_EQ(v.ended, kind::released);
}
