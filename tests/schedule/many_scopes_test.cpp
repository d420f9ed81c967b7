// Many scopes at once: the order of release does not depend on the index that finds it.
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

limiter_settings small_quotas() {
  limiter_settings s;
  s.quota.use_headers = false;
  s.quota.rpm_limit = 2;
  s.quota.tpm_limit = 1e6;
  s.max_depth = 10'000;
  return s;
}

ticket_facts in_scope(std::uint64_t credential, std::uint8_t urgency = 3) {
  ticket_facts t;
  t.scope = {credential, "m"};
  t.size.max_output_tokens = 100;
  t.max_wait = 1h;
  t.urgency = urgency;
  return t;
}

TEST(ManyScopes, EachReleasesAtItsOwnTime) {
  cerebras_limiter limiter(small_quotas());
  std::map<ticket_id, std::size_t> scope_of;
  for (std::size_t k = 0; k < 500; ++k)
    for (int i = 0; i < 4; ++i) {
      auto const decided = limiter.submit(in_scope(k), start + k * 10ms);
      if (auto const* const q = std::get_if<queued>(&decided)) scope_of[q->id] = k;
    }
  ASSERT_EQ(scope_of.size(), 1000U);
  auto now = start + 5s;
  std::size_t went = 0;
  while (went < 1000) {
    auto const next = limiter.next_deadline(now);
    ASSERT_TRUE(next);
    ASSERT_GE(*next, now);
    now = *next;
    for (auto const& e : limiter.poll(now)) {
      auto const first = start + scope_of.at(e.id) * 10ms;
      EXPECT_GE(now, first + 60s);
      EXPECT_LE(now, first + 62s);
      limiter.settle(e.id, 100, std::nullopt, now);
      ++went;
    }
  }
  EXPECT_FALSE(limiter.next_deadline(now));
}

TEST(ManyScopes, WhereTheNumberInFlightIsBoundedTheMostUrgentThenTheOldestGoes) {
  auto settings = small_quotas();
  settings.quota.rpm_limit = 1e6;
  settings.max_in_flight = 1;
  settings.ageing = 0s;
  cerebras_limiter limiter(settings);
  auto flying = std::get<go>(limiter.submit(in_scope(1'000), start)).id;
  std::mt19937 random(1);
  std::vector<std::pair<std::uint8_t, ticket_id>> expected;
  for (std::uint64_t k = 0; k < 200; ++k) {
    auto const urgency = static_cast<std::uint8_t>(random() % 8);
    expected.emplace_back(urgency, std::get<queued>(limiter.submit(in_scope(k % 70, urgency), start)).id);
  }
  std::sort(expected.begin(), expected.end());
  for (auto const& [urgency, id] : expected) {
    EXPECT_TRUE(limiter.poll(start).empty());
    limiter.settle(flying, 100, std::nullopt, start);
    auto const events = limiter.poll(start);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].id, id);
    flying = events[0].id;
  }
}

TEST(ManyScopes, APausedOneGoesWhenItIsResumed) {
  cerebras_limiter limiter(small_quotas());
  limiter.submit(in_scope(1), start);
  limiter.pause({1, "m"}, true);
  limiter.submit(in_scope(1), start);
  EXPECT_TRUE(limiter.poll(start).empty());
  limiter.pause({1, "m"}, false);
  EXPECT_EQ(limiter.next_deadline(start), start);
  EXPECT_EQ(limiter.poll(start).size(), 1U);
}

TEST(ManyScopes, TheLongestUnusedWithoutTicketsIsForgotten) {
  auto settings = small_quotas();
  settings.max_scopes = 3;
  cerebras_limiter limiter(settings);
  auto const once = [&](std::uint64_t k, time_point now) {
    limiter.settle(std::get<go>(limiter.submit(in_scope(k), now)).id, 10, std::nullopt, now);
  };
  auto const known = [&](std::uint64_t k) {
    for (auto const& s : limiter.report(start + 1min))
      if (s.credential == k) return true;
    return false;
  };
  for (std::uint64_t k = 1; k <= 3; ++k) once(k, start + k * 1s);
  auto const stays = std::get<go>(limiter.submit(in_scope(1), start + 4s)).id;
  once(4, start + 5s);
  EXPECT_FALSE(known(2));
  once(5, start + 6s);
  EXPECT_FALSE(known(3));
  EXPECT_TRUE(known(1)) << "it has a ticket";
  limiter.settle(stays, 10, std::nullopt, start + 7s);
  once(6, start + 8s);
  EXPECT_FALSE(known(1));
  EXPECT_EQ(limiter.report(start + 9s).size(), 3U);
}

}  // namespace
}  // namespace cooldown
