// Tables of offers, and where a request goes.
#include "cooldown/schedule/routing.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr std::optional<duration> rejected = std::nullopt;

offer of(std::size_t upstream, std::optional<duration> wait, bool usable = true, int last_used = 0) {
  return {
      .upstream = upstream, .usable = usable, .wait = wait, .last_used = time_point{std::chrono::seconds{last_used}}};
}

routing_rules spill_after(std::optional<duration> after) {
  return {.spill_after = after, .min_gain = 2s};
}

struct row {
  const char* says;
  std::vector<offer> offers;
  std::size_t to;
  routing_rules rules = spill_after(5s);
  std::optional<std::size_t> waits_at{};
  duration waited{};
  std::optional<std::size_t> cached_at{};
};

void expect(const std::vector<row>& rows) {
  for (auto const& r : rows) {
    auto const got = choose(r.rules, {r.offers, r.waits_at, r.waited, r.cached_at});
    EXPECT_EQ(got.to, r.to) << r.says;
  }
}

TEST(Routing, ARequestGoesToThePreferredUpstreamUnlessItWouldWaitTooLong) {
  expect({
      {"alone", {of(0, 60s)}, 0},
      {"both at once", {of(0, 0s), of(1, 0s)}, 0},
      {"a short wait is accepted", {of(0, 5s), of(1, 0s)}, 0},
      {"a long one is not", {of(0, 5001ms), of(1, 0s)}, 1},
      {"nor is it for a small gain", {of(0, 8s), of(1, 6001ms)}, 0},
      {"a gain of two seconds is enough", {of(0, 8s), of(1, 6s)}, 1},
      {"the one that is ready first", {of(0, 60s), of(1, 20s), of(2, 10s)}, 2},
      {"of equals the preferred one", {of(0, 60s), of(1, 10s), of(2, 10s)}, 1},
      {"never", {of(0, 600s), of(1, 0s)}, 0, spill_after(std::nullopt)},
      {"always", {of(0, 2s), of(1, 0s)}, 1, spill_after(0s)},
      {"always, but not for nothing", {of(0, 1s), of(1, 0s)}, 0, spill_after(0s)},
  });
}

TEST(Routing, AccountsOfAnUpstreamAreUsedInBalance) {
  expect({
      {"the one that is ready first", {of(0, 3s), of(0, 2s)}, 1},
      {"of equals the one that was not used", {of(0, 0s, true, 9), of(0, 0s, true, 8)}, 1},
      {"of equals the first", {of(0, 0s), of(0, 0s)}, 0},
      {"before another upstream", {of(0, 9s), of(0, 4s), of(1, 0s)}, 1},
      {"the same elsewhere", {of(0, 9s), of(1, 3s), of(1, 2s)}, 2},
      {"without spilling", {of(0, 9s), of(0, 4s), of(1, 0s)}, 1, spill_after(std::nullopt)},
  });
}

TEST(Routing, WhatFailsOrRejectsIsSkipped) {
  auto off = spill_after(std::nullopt);
  off.next_on_failure = false;
  expect({
      {"it fails", {of(0, 0s, false), of(1, 3s)}, 1},
      {"it rejects", {of(0, rejected), of(1, 60s)}, 1},
      {"whatever the wait there", {of(0, 0s, false), of(1, 600s)}, 1, spill_after(std::nullopt)},
      {"the next is preferred then", {of(0, 0s, false), of(1, 6s), of(2, 5s)}, 1},
      {"and may be left, too", {of(0, 0s, false), of(1, 6s), of(2, 4s)}, 2},
      {"an account is set aside", {of(0, 0s, false), of(0, 4s), of(1, 0s)}, 1},
      {"all fail", {of(0, 0s, false), of(1, 0s, false)}, 0},
      {"it is rejected rather than failed", {of(0, 0s, false), of(1, rejected)}, 1},
      {"all reject", {of(0, rejected), of(1, rejected)}, 0},
      {"not if that is off", {of(0, 0s, false), of(1, 0s)}, 0, off},
      {"nor a rejection", {of(0, rejected), of(1, 0s)}, 0, off},
  });
}

TEST(Routing, AConversationStaysWhereItsPrefixIsCached) {
  auto const cached = [](std::vector<offer> offers, std::size_t at, std::size_t to) {
    return row{"cached", std::move(offers), to, spill_after(5s), std::nullopt, 0s, at};
  };
  expect({
      cached({of(0, 0s), of(1, 0s)}, 1, 1),
      cached({of(0, 0s), of(1, 1999ms)}, 1, 1),
      cached({of(0, 0s), of(1, 2s)}, 1, 0),
      cached({of(0, 0s), of(0, 1s)}, 1, 1),
      cached({of(0, 9s), of(1, 0s)}, 0, 1),
      cached({of(0, 0s), of(1, 0s, false)}, 1, 0),
      cached({of(0, 0s), of(1, rejected)}, 1, 0),
  });
}

TEST(Routing, AWaitingRequestMovesIfItGainsEnough) {
  auto const waiting = [](const char* says, std::vector<offer> offers, std::size_t at, duration waited,
                          std::size_t to) {
    return row{says, std::move(offers), to, spill_after(5s), at, waited, std::nullopt};
  };
  expect({
      waiting("within the time it stays", {of(0, 2s), of(1, 0s)}, 0, 3s, 0),
      waiting("its whole wait counts", {of(0, 2001ms), of(1, 0s)}, 0, 3s, 1),
      waiting("a small gain is none", {of(0, 1s), of(1, 0s)}, 0, 5s, 0),
      waiting("but it does not wait longer than the time and the gain", {of(0, 1s), of(1, 0s)}, 0, 7s, 1),
      waiting("nor goes where it waits as long", {of(0, 1s), of(1, 1s)}, 0, 7s, 0),
      waiting("back to the preferred one", {of(0, 0s), of(1, 3s)}, 1, 1s, 0),
      waiting("not for a small gain", {of(0, 0s), of(1, 1s)}, 1, 1s, 1),
      waiting("to another account at once", {of(0, 1s), of(0, 0s)}, 0, 1s, 1),
      waiting("not for an error of the forecast", {of(0, 1s), of(0, 950ms)}, 0, 1s, 0),
      waiting("from what fails", {of(0, 0s, false), of(1, 60s)}, 0, 1s, 1),
      waiting("from what would reject it", {of(0, rejected), of(1, 60s)}, 0, 1s, 1),
      waiting("but not without need", {of(0, 0s, false), of(1, 0s, false)}, 1, 1s, 1),
  });
}

TEST(Routing, ItIsAskedAgainInTimeForWhatTheRulesPromise) {
  auto const ask = [](std::vector<offer> offers, std::optional<std::size_t> at, duration waited) {
    return choose(spill_after(5s), {offers, at, waited, std::nullopt}).ask_again;
  };
  EXPECT_EQ(ask({of(0, 60s)}, std::nullopt, 0s), std::nullopt) << "there is nothing to gain";
  EXPECT_EQ(ask({of(0, 0s), of(1, 0s)}, std::nullopt, 0s), std::nullopt) << "it is sent";
  EXPECT_EQ(ask({of(0, 4s), of(1, 0s)}, std::nullopt, 0s), 1s);
  EXPECT_EQ(ask({of(0, 60s), of(1, 59s)}, 0, 0s), 5s);
  EXPECT_EQ(ask({of(0, 60s), of(1, 59s)}, 0, 4500ms), 500ms) << "when the wait exceeds spill_after";
  EXPECT_EQ(ask({of(0, 60s), of(1, 59s)}, 0, 6s), 1s) << "and when it exceeds the gain as well";
  EXPECT_EQ(ask({of(0, 0s), of(1, 0s)}, 0, 1s), 100ms) << "it should have gone";
  EXPECT_EQ(ask({of(0, rejected), of(1, rejected)}, 0, 60s), 5s);
}

}  // namespace
}  // namespace cooldown
