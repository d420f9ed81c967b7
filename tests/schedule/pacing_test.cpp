// When a scope may send at all: tables of events and opening times.
#include "cooldown/schedule/pacing.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

pacing::attempt sent(duration at, bool probe = false) {
  return {.sent = start + at, .probe = probe};
}

/// Released and refused at once.
unsigned refuse(pacing& p, duration at) {
  p.on_release(start + at);
  return p.on_refusal(sent(at), start + at);
}

duration opens(const pacing& p, duration at) {
  return p.ready(false, false, start + at).at - start;
}

TEST(Pacing, BackoffDoublesByRoundsAndIsJittered) {
  struct {
    unsigned n;
    duration least;
  } const table[] = {{0, 500ms}, {1, 500ms}, {2, 1s}, {3, 2s}, {7, 32s}, {8, 32s}, {1000, 32s}};
  for (auto const& row : table) {
    for (std::uint64_t salt = 0; salt < 50; ++salt) {
      EXPECT_GE(backoff(500ms, row.n, salt), row.least) << row.n;
      EXPECT_LE(backoff(500ms, row.n, salt), row.least * 5 / 4) << row.n;
    }
  }
}

TEST(Pacing, NothingHoldsAFreshScope) {
  pacing const p;
  EXPECT_EQ(opens(p, 0s), 0s);
  EXPECT_FALSE(p.hold_until(start));
}

TEST(Pacing, WhatWasSentBeforeARefusalBelongsToItsRound) {
  struct {
    duration sent;
    duration heard;
    unsigned round;
  } const table[] = {{0ms, 100ms, 1},   {50ms, 110ms, 1},  {90ms, 300ms, 1},
                     {700ms, 750ms, 2}, {740ms, 760ms, 2}, {2s, 2100ms, 3}};
  pacing p;
  for (auto const& row : table) EXPECT_EQ(p.on_refusal(sent(row.sent), start + row.heard), row.round);
}

TEST(Pacing, OnlyASuccessThatWasSentLaterEndsTheRounds) {
  pacing p;
  refuse(p, 0s);
  refuse(p, 1s);
  p.on_success(start + 900ms);
  EXPECT_EQ(refuse(p, 3s), 3U);
  p.on_success(start + 3s);
  EXPECT_EQ(refuse(p, 8s), 1U);
}

TEST(Pacing, AfterARefusalOneGoesAtATimeUntilOneIsAdmitted) {
  pacing p;
  refuse(p, 0s);
  p.on_release(start + 1s);
  EXPECT_EQ(p.ready(true, false, start + 1s).by, constraint::recovery);
  EXPECT_EQ(p.ready(true, false, start + 1s).at, start + 1500ms) << "a refusal would have come";
  EXPECT_EQ(p.ready(false, true, start + 1s).by, constraint::recovery) << "not another beside it";
  p.on_success(start + 1s);
  EXPECT_EQ(p.ready(true, false, start + 1s).by, constraint::none);
}

TEST(Pacing, AHoldIsNoLongerThanItsWindow) {
  struct {
    std::optional<duration> told;
    duration most;
    duration expected;
  } const table[] = {
      {7s, 60s, 7s}, {86400s, 60s, 60s}, {86400s, 3600s, 3600s}, {400h, 24h, 24h}, {std::nullopt, 60s, 500ms}};
  for (auto const& row : table) {
    pacing p;
    p.hold(row.told, row.most, start);
    EXPECT_EQ(opens(p, 0s), row.expected);
    EXPECT_EQ(p.ready(false, false, start).by, constraint::provider_pause);
  }
}

TEST(Pacing, AHoldIsNoShorterThanOurOwnBackoff) {
  pacing p;
  for (auto const at : {0s, 10s, 20s}) {
    refuse(p, at);
    p.hold(0s, 60s, start + at);
  }
  EXPECT_GE(opens(p, 20s), 22s);
}

TEST(Pacing, AHoldEndsWithASuccessThatWasSentLater) {
  pacing p;
  p.hold(1h, 24h, start);
  p.on_success(start - 1ms);
  EXPECT_TRUE(p.hold_until(start + 1s));
  p.on_success(start + 1ms);
  EXPECT_FALSE(p.hold_until(start + 1s));
}

TEST(Pacing, TheProbesSilenceDoublesWithRefusedProbesOnly) {
  pacing p;
  for (int i = 0; i < 5; ++i) refuse(p, 1s * i);
  EXPECT_EQ(p.probe_at(), start + 4s + 5min) << "rounds are no probes";
  auto at = p.probe_at();
  for (auto const silence : {10min, 20min, 40min, 80min}) {
    p.on_release(at);
    p.on_refusal({.sent = at, .probe = true}, at);
    EXPECT_EQ(p.probe_at() - at, silence);
    at = p.probe_at();
  }
  for (int i = 0; i < 20; ++i) p.on_refusal({.sent = at, .probe = true}, at);
  EXPECT_LE(p.probe_at() - at, 24h);
  p.on_success(at);
  p.on_release(at);
  EXPECT_EQ(p.probe_at() - at, 5min);
}

TEST(Pacing, BurstsAreSpacedOutByWhatWasAdmittedWithinASecond) {
  pacing p;
  for (int i = 0; i < 10; ++i) p.on_release(start);
  for (int i = 0; i < 5; ++i) p.on_burst(sent(0s), {}, start + 1ms);
  p.on_success(start);
  p.on_release(start + 1s);
  auto const spaced = p.ready(false, false, start + 1s);
  EXPECT_EQ(spaced.by, constraint::spacing);
  EXPECT_GT(spaced.at, start + 1s + 100ms);
  EXPECT_LT(spaced.at, start + 1s + 250ms);
}

// --- want of capacity

TEST(Pacing, OneCapacityRefusalDelaysItsOwnTicketOnly) {
  pacing p;
  struct {
    unsigned times;
    duration least;
  } const table[] = {{1, 100ms}, {1, 1s}, {2, 2s}, {3, 4s}, {6, 32s}, {20, 32s}};
  for (auto const& row : table) {
    auto const again = p.on_no_capacity(sent(0s), row.times, {}, start);
    EXPECT_GE(again - start, row.least);
    EXPECT_LE(again - start, row.least * 5 / 4);
  }
  EXPECT_EQ(opens(p, 0s), 0s);
}

TEST(Pacing, OnlyTheFirstCapacityRefusalSinceASuccessWaitsShortly) {
  pacing p;
  struct {
    unsigned times;
    bool success;  // of another, before
    duration least;
  } const table[] = {{1, false, 100ms}, {1, false, 1s}, {1, true, 100ms}, {2, true, 2s}, {1, false, 1s}};
  auto at = start;
  for (auto const& row : table) {
    if (row.success) p.on_success(at);
    auto const again = p.on_no_capacity({.sent = at}, row.times, {}, at);
    EXPECT_GE(again - at, row.least);
    EXPECT_LE(again - at, row.least * 5 / 4);
    at += 10ms;
  }
}

TEST(Pacing, ThreeRoundsWithoutASuccessPauseTheScope) {
  pacing p;
  auto at = start;
  for (auto const pause : {0s, 0s, 4s, 8s, 16s, 32s, 32s}) {
    p.on_release(at);
    p.on_no_capacity({.sent = at}, 1, {}, at);
    auto const open = p.ready(false, false, at).at;
    EXPECT_GE(open - at, pause);
    EXPECT_LE(open - at, pause * 5 / 4);
    EXPECT_EQ(p.opens_at(at), open);
    at = std::max(open, at + 3s);
  }
  p.on_release(at);
  EXPECT_EQ(p.ready(true, false, at).by, constraint::recovery) << "then one at a time";
  p.on_success(at - 1h);
  EXPECT_EQ(p.ready(true, false, at).at, at);
}

TEST(Pacing, AnAnswerThatEndsMakesRoomForOne) {
  pacing p;
  for (auto const at : {0s, 3s, 8s, 20s}) p.on_no_capacity(sent(at), 1, {}, start + at);
  EXPECT_GT(opens(p, 20s), 25s);
  p.on_end(start + 21s);
  EXPECT_EQ(opens(p, 21s), 21s);
}

TEST(Pacing, TheProvidersWordAboutCapacityIsForTheRefusedAndAtMostUntilTheNextProbe) {
  pacing p;
  p.on_release(start);
  p.on_no_capacity(sent(0s), 1, 30s, start);
  EXPECT_EQ(p.refused_until(), start + 30s);
  EXPECT_EQ(opens(p, 0s), 0s);
  p.on_no_capacity(sent(0s), 1, 86400s, start);
  EXPECT_EQ(p.refused_until(), start + 5min);
  p.on_no_capacity({.sent = start + 5min, .probe = true}, 2, 86400s, start + 5min);
  EXPECT_EQ(p.refused_until(), start + 15min);
  p.on_success(start - 1s);
  EXPECT_LE(p.refused_until(), start) << "whoever serves others has capacity";
}

}  // namespace
}  // namespace cooldown
