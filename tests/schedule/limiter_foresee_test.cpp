// What a limiter would answer to a request that is not submitted, and requests that come from another limiter.
#include <gtest/gtest.h>

#include "cooldown/schedule/offers.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

limiter_settings ten_a_minute() {
  limiter_settings s;
  s.quota.rpm_limit = 10;
  s.quota.tpm_limit = 1e9;
  s.max_depth = 3;
  return s;
}

ticket_facts request(std::uint64_t client = 1) {
  ticket_facts t;
  t.scope = scope;
  t.client = client;
  return t;
}

/// Uses up what may be sent at once.
std::vector<ticket_id> exhaust(cerebras_limiter& limiter, time_point now) {
  std::vector<ticket_id> sent;
  for (;;) {
    auto const decided = limiter.submit(request(), now);
    auto const* const g = std::get_if<go>(&decided);
    if (!g) {
      limiter.leave(std::get<queued>(decided).id, now);
      return sent;
    }
    sent.push_back(g->id);
  }
}

TEST(LimiterForesee, SaysWhatSubmitWouldSay) {
  cerebras_limiter limiter(ten_a_minute());
  EXPECT_EQ(wait_at(limiter, request(), start), duration::zero());
  exhaust(limiter, start);
  for (int i = 0; i < 3; ++i) {
    auto const foreseen = std::get<standing>(limiter.foresee(request(), start));
    auto const decided = std::get<queued>(limiter.submit(request(), start));
    EXPECT_EQ(foreseen.expected, decided.expected) << i;
    EXPECT_EQ(foreseen.position, decided.position) << i;
    EXPECT_EQ(wait_at(limiter, decided.id, start), decided.expected - start);
  }
  EXPECT_EQ(std::get<refused>(limiter.foresee(request(), start)).why, reason::queue_full);
  EXPECT_EQ(std::get<refused>(limiter.submit(request(), start)).why, reason::queue_full);
}

TEST(LimiterForesee, ChangesNothing) {
  cerebras_limiter asked(ten_a_minute()), other(ten_a_minute());
  for (int i = 0; i < 30; ++i) {
    auto const now = start + i * 300ms;
    for (std::uint64_t client = 1; client < 4; ++client) asked.foresee(request(client), now);
    auto const a = asked.submit(request(1 + static_cast<std::uint64_t>(i) % 2), now);
    auto const b = other.submit(request(1 + static_cast<std::uint64_t>(i) % 2), now);
    ASSERT_EQ(a.index(), b.index()) << i;
    if (auto const* const q = std::get_if<queued>(&a)) {
      EXPECT_EQ(q->id, std::get<queued>(b).id);
      EXPECT_EQ(q->expected, std::get<queued>(b).expected);
    }
    EXPECT_EQ(asked.queue_length(), other.queue_length());
    EXPECT_EQ(asked.poll(now).size(), other.poll(now).size());
    EXPECT_EQ(asked.next_deadline(now), other.next_deadline(now));
  }
}

TEST(LimiterForesee, KnowsWhenARequestWouldHaveWaitedTooLong) {
  cerebras_limiter limiter(ten_a_minute());
  exhaust(limiter, start);
  auto hasty = request();
  hasty.max_wait = 0s;
  EXPECT_EQ(std::get<refused>(limiter.foresee(hasty, start)).why, reason::queue_timeout);
  EXPECT_EQ(wait_at(limiter, hasty, start), std::nullopt);
}

TEST(LimiterForesee, PromisesNothingWhilePaused) {
  cerebras_limiter limiter(ten_a_minute());
  exhaust(limiter, start);
  ASSERT_TRUE(limiter.pause(scope, true));
  EXPECT_EQ(wait_at(limiter, request(), start), std::nullopt);
}

TEST(MovedTicket, ComesBeforeThoseThatArrivedLater) {
  auto settings = ten_a_minute();
  settings.max_depth = 100;
  cerebras_limiter limiter(settings);
  exhaust(limiter, start);
  auto const submit = [&](std::uint64_t arrival, time_point arrived, time_point now) {
    auto t = request();
    t.arrival = arrival;
    t.arrived = arrived;
    return std::get<queued>(limiter.submit(t, now)).id;
  };
  auto const later = submit(8, start, start);
  auto const moved = submit(7, start - 1s, start);
  std::vector<ticket_id> order;
  for (auto now = start; now < start + 60s; now += 100ms)
    for (auto const& e : limiter.poll(now)) order.push_back(e.id);
  EXPECT_EQ(order, (std::vector{moved, later}));
}

}  // namespace
}  // namespace cooldown
