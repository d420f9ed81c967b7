// What the limiter does when the provider has no capacity: the refused ticket waits for itself, and no more than the
// provider takes at once goes out.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

const std::vector<header_field> plenty{{"x-ratelimit-limit-tokens-minute", "60000000"},
                                       {"x-ratelimit-remaining-tokens-minute", "60000000"}};

class LimiterCapacity : public ::testing::Test {
 protected:
  LimiterCapacity() {
    settings.quota.rpm_limit = 1e6;
    limiter.configure(settings, start);
    limiter.update_from_headers(scope, plenty, start, wall);
  }
  decision submit(duration max_wait = 10min, std::uint64_t client = 0) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = 100;
    t.max_wait = max_wait;
    t.client = client;
    return limiter.submit(t, now);
  }
  ticket_id send() { return std::get<go>(submit()).id; }
  observation refuse(ticket_id id, std::vector<header_field> fields = {}) {
    return limiter.observe(
        id, {.status = 429, .headers = fields, .error = {.message = "", .type = "", .code = "queue_exceeded"}}, now,
        wall);
  }
  void succeed(ticket_id id) {
    limiter.observe(id, {.status = 200, .headers = plenty, .error = {}}, now, wall);
    limiter.settle(id, 100, std::nullopt, now);
  }
  std::vector<ticket_id> released() {
    std::vector<ticket_id> ids;
    for (auto const& e : limiter.poll(now))
      if (!e.refusal) ids.push_back(e.id);
    return ids;
  }
  /// The provider takes four at once, and refuses sixteen more, twice.
  void learn_four() {
    for (int i = 0; i < 4; ++i) at_provider.push_back(send());
    std::vector<ticket_id> others;
    for (int i = 0; i < 16; ++i) others.push_back(send());
    for (auto const id : others) refuse(id);
    now += 2s;
    for (auto const id : released()) refuse(id);
  }

  time_point now = start;
  limiter_settings settings;
  cerebras_limiter limiter{limiter_settings{}};
  std::vector<ticket_id> at_provider;
};

TEST_F(LimiterCapacity, TheRefusedWaitsInItsPlaceWhileOthersFlow) {
  auto const id = send();
  ASSERT_EQ(refuse(id).what, verdict::queue_again);
  EXPECT_EQ(limiter.queue_length(), 1U);
  auto const standing = limiter.standing_of(id, now);
  ASSERT_TRUE(standing);
  EXPECT_EQ(standing->held_by, constraint::capacity);
  EXPECT_GE(standing->expected, now + 100ms);
  succeed(send());
  now += 99ms;
  EXPECT_TRUE(released().empty());
  ASSERT_TRUE(limiter.next_deadline(now));
  now = *limiter.next_deadline(now);
  EXPECT_LE(now, start + 125ms);
  EXPECT_EQ(released(), std::vector{id});
}

TEST_F(LimiterCapacity, ItsOwnBackoffDoublesUntilItsTimeIsOver) {
  auto const id = std::get<go>(submit(10s)).id;
  for (duration const wait : std::initializer_list<duration>{100ms, 2s, 4s}) {
    succeed(send());
    ASSERT_EQ(refuse(id).what, verdict::queue_again);
    auto const at = limiter.standing_of(id, now)->expected;
    EXPECT_GE(at - now, wait);
    EXPECT_LE(at - now, wait + wait / 4);
    now = at;
    ASSERT_EQ(released(), std::vector{id});
  }
  EXPECT_EQ(refuse(id).what, verdict::pass) << "the next try would come too late";
  limiter.settle(id, 0, std::nullopt, now);
  EXPECT_EQ(limiter.in_flight(), 0U);
}

TEST_F(LimiterCapacity, ItComesBackBeforeLaterOnesOfItsClient) {
  auto const id = send();
  refuse(id);
  limiter.pause(scope, true);
  auto const later = std::get<queued>(submit()).id;
  now += 2s;
  limiter.pause(scope, false);
  EXPECT_EQ(released(), (std::vector{id, later}));
}

TEST_F(LimiterCapacity, ItMayLeaveOrRunOutOfTimeMeanwhile) {
  auto const leaves = send();
  auto const expires = std::get<go>(submit(10s)).id;
  refuse(expires);
  refuse(leaves, {{"retry-after", "60"}});
  EXPECT_EQ(limiter.queue_length(), 2U);
  limiter.leave(leaves, now);
  now += 10s;
  auto const events = limiter.poll(now);
  ASSERT_EQ(events.size(), 1U) << "the other one's word holds for it as well";
  EXPECT_EQ(events[0].id, expires);
  ASSERT_TRUE(events[0].refusal);
  EXPECT_EQ(events[0].refusal->why, reason::queue_timeout);
  EXPECT_EQ(limiter.queue_length(), 0U);
  EXPECT_FALSE(limiter.next_deadline(now));
}

TEST_F(LimiterCapacity, RetryAfterIsForTheRefusedUntilOthersGetThrough) {
  auto const id = send();
  refuse(id, {{"retry-after", "86400"}});
  EXPECT_EQ(limiter.standing_of(id, now)->expected, start + 5min) << "then it is asked again";
  now += 1s;
  succeed(send());
  now += 1s;
  EXPECT_EQ(released(), std::vector{id});
}

TEST_F(LimiterCapacity, NoMoreGoThanTheProviderTakesAtOnce) {
  learn_four();
  EXPECT_EQ(limiter.report(now).front().concurrency_limit, 4U);
  now += 4s;
  EXPECT_TRUE(released().empty());
  auto const waits = std::get<queued>(submit());
  EXPECT_EQ(waits.held_by, constraint::concurrency);
  EXPECT_EQ(limiter.report(now).front().held_by, constraint::concurrency);
  succeed(at_provider[0]);
  EXPECT_EQ(released().size(), 1U);
}

TEST_F(LimiterCapacity, APlanKnowsHowLongAnswersTake) {
  learn_four();
  now += 6s;
  for (auto const id : at_provider) succeed(id);  // after 8 s
  EXPECT_EQ(released().size(), 4U);
  EXPECT_EQ(limiter.queue_length(), 12U);
  auto const last = std::get<queued>(submit());
  EXPECT_EQ(last.expected - now, 32s) << "thirteen answers of 8 s, four at a time";
}

TEST_F(LimiterCapacity, WhenNothingGetsThroughTheScopeIsAskedLessAndLessOften) {
  int asked = 0;
  std::vector<ticket_id> here;
  for (int i = 0; i < 20; ++i) here.push_back(send());
  while (now < start + 10min) {
    for (auto const id : here) refuse(id);
    asked += static_cast<int>(here.size());
    auto const next = limiter.next_deadline(now);
    if (!next) break;
    now = *next;
    here = released();
  }
  EXPECT_LE(asked, 3 * 20 + 30);
  EXPECT_GE(asked, 2 * 20 + 15);
}

}  // namespace
}  // namespace cooldown
