// The loop around the limiter: which waiter gets which decision, and when to poll again.
#include "cooldown/schedule/limiter_driver.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr time_point start{1h};

/// Sixty requests a minute, all of them spent.
struct LimiterDriver : ::testing::Test {
  LimiterDriver() {
    limiter_settings s;
    s.quota.use_headers = false;
    s.quota.rpm_limit = 60;
    s.quota.tpm_limit = 1e9;
    limiter.configure(s, start);
    while (true) {
      auto const decided = limiter.submit(facts(), start);
      if (auto const* const waits = std::get_if<queued>(&decided)) {
        limiter.leave(waits->id, start);
        return;
      }
      going.push_back(std::get<go>(decided).id);
    }
  }

  static ticket_facts facts(duration max_wait = 10min) {
    ticket_facts f;
    f.scope.model = "m";
    f.size.max_output_tokens = 10;
    f.max_wait = max_wait;
    return f;
  }
  ticket_id join(duration max_wait = 10min) { return std::get<queued>(limiter.submit(facts(max_wait), start)).id; }
  std::optional<time_point> ring(time_point now) {
    driver.alarm_rang();
    return update(now);
  }
  void ring_until(time_point end) {
    while (driver.alarm() <= end) ring(driver.alarm());
  }
  std::optional<time_point> update(time_point now) {
    return driver.update(now, [this](const std::string& who, const ticket_event& event) {
      told.push_back(event.refusal ? who + " refused" : who);
    });
  }

  cerebras_limiter limiter{limiter_settings{}};
  limiter_driver<std::string> driver{limiter};
  std::vector<ticket_id> going;
  std::vector<std::string> told;
};

TEST_F(LimiterDriver, TellsEachWaiterOnceAsTheAlarmRings) {
  EXPECT_FALSE(driver.wait(join(), "a"));
  EXPECT_FALSE(driver.wait(join(), "b"));
  auto const first = update(start);
  ASSERT_TRUE(first);
  EXPECT_GT(*first, start);
  EXPECT_THAT(told, IsEmpty());
  ring_until(start + 2min);
  EXPECT_THAT(told, ElementsAre("a", "b"));
  EXPECT_EQ(driver.alarm(), time_point::max()) << "nobody waits";
}

TEST_F(LimiterDriver, AsksForTheSameAlarmOnce) {
  driver.wait(join(), "a");
  auto const when = update(start);
  ASSERT_TRUE(when);
  EXPECT_EQ(driver.alarm(), *when);
  EXPECT_FALSE(update(start));
  EXPECT_FALSE(update(start + 1ms));
  EXPECT_EQ(ring(*when - 1ms), *when) << "it rang too early";
}

TEST_F(LimiterDriver, CallsTheAlarmOffWhenNobodyIsLeft) {
  auto const id = join();
  driver.wait(id, "a");
  ASSERT_TRUE(update(start));
  limiter.leave(id, start);
  driver.forget(id);
  EXPECT_EQ(update(start), time_point::max());
  EXPECT_EQ(driver.alarm(), time_point::max());
  EXPECT_FALSE(update(start + 1s));
}

TEST_F(LimiterDriver, KeepsADecisionUntilItIsWaitedFor) {
  auto const id = join();
  update(start);
  ring_until(start + 2min);
  auto const early = driver.wait(id, "a");
  ASSERT_TRUE(early);
  EXPECT_EQ(early->id, id);
  EXPECT_FALSE(early->refusal);
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(LimiterDriver, ForgetsTheDecisionOfATicketThatHasEnded) {
  auto const id = join();
  update(start);
  ring_until(start + 2min);
  driver.forget(id);
  EXPECT_FALSE(driver.wait(id, "a"));
}

TEST_F(LimiterDriver, WhoStopsWaitingMayWaitAgain) {
  auto const id = join();
  driver.wait(id, "a");
  driver.stop_waiting(id);
  update(start);
  ring_until(start + 2min);
  EXPECT_THAT(told, IsEmpty());
  EXPECT_TRUE(driver.wait(id, "a"));
}

TEST_F(LimiterDriver, TellsOfARefusalWhenItsTimeIsOver) {
  limiter_settings s;
  s.max_in_flight = 1;  // of which nobody knows when it ends
  limiter.configure(s, start);
  driver.wait(join(50ms), "a");
  EXPECT_EQ(update(start), start + 50ms);
  ring(start + 50ms);
  EXPECT_THAT(told, ElementsAre("a refused"));
}

TEST_F(LimiterDriver, ATicketThatIsQueuedAgainIsWaitedForAnew) {
  auto const id = going.front();
  limiter.observe(id, {.status = 429, .headers = {}, .error = {"", "", "queue_exceeded"}}, start, wall_time{});
  EXPECT_FALSE(driver.wait(id, "again"));
  update(start);
  ring_until(start + 2min);
  EXPECT_THAT(told, ElementsAre("again"));
}

}  // namespace
}  // namespace cooldown
