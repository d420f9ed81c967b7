// Rows 2, 3 and 9 of the contract: the limiter's state, its decisions by headers, and its counters.
#include <condition_variable>
#include <functional>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

/// A ticket that costs exactly `tokens`: nothing is guessed.
ticket_facts costing(double tokens) {
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = static_cast<std::uint64_t>(tokens) - 8;  // the estimator adds 8 for the chat template
  return t;
}

std::vector<header_field> headers(const std::string& limit, const std::string& remaining, const std::string& reset) {
  static std::vector<std::string> kept;
  kept = {limit, remaining, reset};
  std::vector<header_field> f;
  if (!limit.empty()) f.push_back({"x-ratelimit-limit-tokens-minute", kept[0]});
  if (!remaining.empty()) f.push_back({"x-ratelimit-remaining-tokens-minute", kept[1]});
  if (!reset.empty()) f.push_back({"x-ratelimit-reset-tokens-minute", kept[2]});
  return f;
}

limiter_settings generous() {
  limiter_settings s;
  s.quota.rpm_limit = 1e6;
  s.quota.tpm_limit = 1e9;
  return s;
}

TEST(CerebrasLimiter, StateBeforeAnyHeader) {
  cerebras_limiter limiter(generous());
  auto const s = limiter.status(scope, start);
  EXPECT_EQ(s.current_token_limit, 0);
  EXPECT_EQ(s.remaining_tokens, 0);
  EXPECT_FALSE(s.next_reset);
  EXPECT_FALSE(s.last_update);
}

TEST(CerebrasLimiter, UpdateFromHeadersSetsTheState) {
  cerebras_limiter limiter(generous());
  EXPECT_FALSE(limiter.update_from_headers(scope, headers("1000", "400", "45.5"), start, wall));
  auto const s = limiter.status(scope, start);
  EXPECT_EQ(s.current_token_limit, 1000);
  EXPECT_EQ(s.remaining_tokens, 400);
  EXPECT_EQ(s.next_reset, start + 45'500ms);
  EXPECT_EQ(s.last_update, start);
}

/// What the binary does with work from elsewhere: threads post, one loop runs it.
class loop {
 public:
  void post(std::function<void()> work) {
    std::lock_guard const lock(mutex_);
    work_.push(std::move(work));
    ready_.notify_one();
  }
  void run(std::size_t n) {
    for (; n > 0; --n) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return !work_.empty(); });
      auto const next = std::move(work_.front());
      work_.pop();
      lock.unlock();
      next();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::queue<std::function<void()>> work_;
};

TEST(CerebrasLimiter, UpdatesFromTenThreadsLeaveOneConsistentState) {
  cerebras_limiter limiter(generous());
  loop io;
  constexpr int threads = 10;
  constexpr int updates = 200;
  auto now = start;
  std::vector<std::thread> posting;
  posting.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    posting.emplace_back([&io, &limiter, &now, i] {
      for (int n = 0; n < updates; ++n)
        io.post([&limiter, &now, i] {
          now += 1ms;
          auto const limit = std::to_string(1000 * (i + 1));
          auto const remaining = std::to_string(100 * (i + 1));
          limiter.update_from_headers(scope, headers(limit, remaining, "30"), now, wall);
        });
    });
  }
  io.run(threads * updates);
  for (auto& t : posting) t.join();
  auto const s = limiter.status(scope, now);
  // Whichever came last: limit and remaining belong together, or the remaining is an earlier, lower one.
  EXPECT_EQ(static_cast<int>(s.current_token_limit) % 1000, 0);
  EXPECT_LE(s.remaining_tokens, s.current_token_limit / 10);
  EXPECT_EQ(s.last_update, now);
  EXPECT_EQ(limiter.counters().header_parsing_success, 2000U);
}

TEST(CerebrasLimiter, WhatDoesNotFitWaitsForTheResetAndItsBuffer) {
  cerebras_limiter limiter(generous());
  limiter.update_from_headers(scope, headers("1000", "50", "10"), start, wall);
  auto const decided = limiter.submit(costing(100), start);
  auto const* const wait = std::get_if<queued>(&decided);
  ASSERT_NE(wait, nullptr);
  EXPECT_EQ(wait->position, 1U);
  EXPECT_EQ(wait->expected, start + 10s + 100ms);
  EXPECT_EQ(limiter.next_deadline(start), start + 10s + 100ms);
  EXPECT_TRUE(limiter.poll(start + 10s + 100ms - 1ns).empty());
  auto const events = limiter.poll(start + 10s + 100ms);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id, wait->id);
  EXPECT_FALSE(events[0].refusal);
}

TEST(CerebrasLimiter, WhatFitsGoesAndIsDeductedAndRecordedInBothWindows) {
  auto settings = generous();
  settings.quota.rpm_limit = 2;
  settings.quota.tpm_limit = 1000;
  cerebras_limiter limiter(settings);
  limiter.update_from_headers(scope, headers("100000", "50000", "10"), start, wall);
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(600), start)));
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 49'400);
  // Five minutes without a header: the sliding windows decide, and they have seen what went out just before.
  auto const late = start + 5min;
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(600), late)));
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(600), late + 1s)));  // tokens: 1200 > 1000
  EXPECT_EQ(limiter.counters().fallback_timings_used, 0U);
  EXPECT_EQ(limiter.counters().dynamic_timings_used, 2U);
}

TEST(CerebrasLimiter, AfterAResetATenthOfTheLimitIsAssumed) {
  cerebras_limiter limiter(generous());
  limiter.update_from_headers(scope, headers("1000", "0", "1"), start, wall);
  auto const later = start + 2s;
  EXPECT_EQ(limiter.status(scope, later).remaining_tokens, 100);
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(50), later)));
  EXPECT_EQ(limiter.status(scope, later).remaining_tokens, 50);
  // What goes beyond the tenth waits for a fresh header, at most header_timeout.
  auto const decided = limiter.submit(costing(60), later);
  ASSERT_TRUE(std::holds_alternative<queued>(decided));
  EXPECT_EQ(limiter.next_deadline(later), later + 5s);
  EXPECT_EQ(limiter.poll(later + 5s).size(), 1U);
  EXPECT_EQ(limiter.status(scope, later + 5s).remaining_tokens, 890);  // taken as refilled
}

TEST(CerebrasLimiter, TheFirstFreshHeaderReplacesTheAssumption) {
  cerebras_limiter limiter(generous());
  limiter.update_from_headers(scope, headers("1000", "0", "1"), start, wall);
  auto const later = start + 2s;
  auto const probe = limiter.submit(costing(50), later);
  auto const waiting = limiter.submit(costing(700), later);
  ASSERT_TRUE(std::holds_alternative<queued>(waiting));
  auto const fresh = headers("1000", "950", "58");
  limiter.observe(std::get<go>(probe).id, {.status = 200, .headers = fresh, .error = {}}, later + 200ms, wall);
  EXPECT_EQ(limiter.poll(later + 200ms).size(), 1U);
  EXPECT_EQ(limiter.status(scope, later + 200ms).remaining_tokens, 250);
}

TEST(CerebrasLimiter, WithoutHeadersTheStaticWindowsDecide) {
  auto settings = generous();
  settings.quota.use_headers = false;
  settings.quota.rpm_limit = 2;
  cerebras_limiter limiter(settings);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(10), start)));
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(10), start)));
  auto const third = limiter.submit(costing(10), start);
  ASSERT_TRUE(std::holds_alternative<queued>(third));
  auto const expected = std::get<queued>(third).expected;
  EXPECT_GE(expected, start + 60s);
  EXPECT_LE(expected, start + 62s);
  EXPECT_TRUE(limiter.poll(expected - 1ns).empty());
  EXPECT_EQ(limiter.poll(expected).size(), 1U);
  EXPECT_EQ(limiter.counters().fallback_timings_used, 3U);
  // The feature switched off: headers are not even read.
  limiter.update_from_headers(scope, headers("1000", "400", "45.5"), start + 70s, wall);
  EXPECT_EQ(limiter.status(scope, start + 70s).current_token_limit, 0);
}

TEST(CerebrasLimiter, AnOldSnapshotDecidesNothingAnyMore) {
  auto settings = generous();
  settings.quota.rpm_limit = 1;
  cerebras_limiter limiter(settings);
  limiter.update_from_headers(scope, headers("1000", "900", ""), start, wall);
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(10), start + 4min)));
  EXPECT_EQ(limiter.counters().dynamic_timings_used, 1U);
  auto const old = start + 6min;
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(10), old)));
  EXPECT_EQ(limiter.counters().fallback_timings_used, 1U);
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(10), old + 1s)));
}

TEST(CerebrasLimiter, WithoutFallbackNothingDecides) {
  auto settings = generous();
  settings.quota.rpm_limit = 1;
  settings.quota.header_fallback = false;
  cerebras_limiter limiter(settings);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(1000), start)));
}

TEST(CerebrasLimiter, WithoutAResetTheMissingTokensAreWaitedFor) {
  cerebras_limiter limiter(generous());
  limiter.update_from_headers(scope, headers("60000", "1000", ""), start, wall);
  auto const decided = limiter.submit(costing(3000), start);
  ASSERT_TRUE(std::holds_alternative<queued>(decided));
  // 2,000 tokens at 1,000 a second, and a few milliseconds so as not to be early.
  auto const expected = std::get<queued>(decided).expected;
  EXPECT_GE(expected, start + 2s);
  EXPECT_LE(expected, start + 2s + 20ms);
  EXPECT_TRUE(limiter.poll(expected - 1us).empty());
  EXPECT_EQ(limiter.poll(expected).size(), 1U);
}

TEST(CerebrasLimiter, AtAColdStartWhatDoesNotFitWaitsForTheFirstHeader) {
  auto settings = generous();
  settings.quota.tpm_limit = 1000;
  cerebras_limiter limiter(settings);
  // The first request of all goes whatever it costs: somebody has to find out.
  auto const first = limiter.submit(costing(5000), start);
  ASSERT_TRUE(std::holds_alternative<go>(first));
  auto const second = limiter.submit(costing(5000), start);
  ASSERT_TRUE(std::holds_alternative<queued>(second));
  EXPECT_EQ(limiter.next_deadline(start), start + 5s);
  EXPECT_TRUE(limiter.poll(start + 1s).empty());
  auto const truth = headers("60000", "55000", "");
  limiter.observe(std::get<go>(first).id, {.status = 200, .headers = truth, .error = {}}, start + 1s, wall);
  EXPECT_EQ(limiter.poll(start + 1s).size(), 1U);
}

TEST(CerebrasLimiter, AtAColdStartNobodyWaitsLongerThanTheHeaderTimeout) {
  auto settings = generous();
  settings.quota.tpm_limit = 1000;
  cerebras_limiter limiter(settings);
  ASSERT_TRUE(std::holds_alternative<go>(limiter.submit(costing(5000), start)));
  ASSERT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(5000), start)));
  EXPECT_TRUE(limiter.poll(start + 5s - 1ns).empty());
  EXPECT_EQ(limiter.poll(start + 5s).size(), 1U);
}

TEST(CerebrasLimiter, CountsHeadersAndWhoDecided) {
  cerebras_limiter limiter(generous());
  auto const first = std::get<go>(limiter.submit(costing(10), start)).id;
  auto const good = headers("1000", "990", "");
  limiter.observe(first, {.status = 200, .headers = good, .error = {}}, start, wall);
  auto const second = std::get<go>(limiter.submit(costing(10), start)).id;
  auto const bad = headers("rubbish", "990", "");
  auto const seen = limiter.observe(second, {.status = 200, .headers = bad, .error = {}}, start, wall);
  EXPECT_EQ(seen.what, verdict::pass);
  EXPECT_NE(seen.header_problem.find("x-ratelimit-limit-tokens-minute"), std::string::npos);
  auto const& c = limiter.counters();
  EXPECT_EQ(c.header_parsing_success, 1U);
  EXPECT_EQ(c.header_parsing_failures, 1U);
  EXPECT_EQ(c.fallback_timings_used, 1U);
  EXPECT_EQ(c.dynamic_timings_used, 1U);
}

TEST(CerebrasLimiter, ARemainingBeyondItsLimitIsSaidAndTaken) {
  cerebras_limiter limiter(generous());
  auto const problem = limiter.update_from_headers(scope, headers("1000", "3000", ""), start, wall);
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->find("above its limit"), std::string::npos);
  EXPECT_EQ(limiter.status(scope, start).remaining_tokens, 3000);
  EXPECT_EQ(limiter.status(scope, start + 30s).remaining_tokens, 3000);  // what is there does not grow beyond that
}

}  // namespace
}  // namespace cooldown
