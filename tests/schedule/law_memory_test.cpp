// Memory is bounded by the number of scopes and tickets, whatever their history.
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

constexpr scope_name scope{1, "m"};

/// A scope with all kinds of limits, and requests without end.
class traffic {
 public:
  explicit traffic(unsigned seed) : random_(seed) {
    limiter_settings s;
    s.quota.rpm_limit = s.quota.tpm_limit = 1e9;
    for (auto const counts : {resource::requests, resource::tokens, resource::total_tokens})
      for (auto const over : {window::minute, window::hour, window::day}) s.quota.limits.limit[{counts, over}] = 1e9;
    s.quota.replenishment = static_cast<refill>(pick(0, 2));
    shown_ = pick(0, 1) == 1;
    step_ = std::chrono::milliseconds{1 << pick(0, 12)};
    limiter.configure(s, now);
  }

  void send(int requests) {
    for (; requests > 0; --requests) {
      now += step_;
      auto const decided = limiter.submit(facts(), now);
      if (auto const* const g = std::get_if<go>(&decided)) flying_.push_back(g->id);
      for (auto const& e : limiter.poll(now))
        if (!e.refusal) flying_.push_back(e.id);
      while (flying_.size() > 8) end_one();
    }
  }

  /// So many more wait.
  void queue_up(int requests) {
    limiter.pause(scope, true);
    for (; requests > 0; --requests) limiter.submit(facts(), now);
  }

  void end_all() {
    while (!flying_.empty()) end_one();
  }

  cerebras_limiter limiter{limiter_settings{}};
  time_point now{1000h};

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  ticket_facts facts() {
    ticket_facts t;
    t.scope = scope;
    t.client = static_cast<std::uint64_t>(pick(0, 1'000'000));
    t.urgency = static_cast<std::uint8_t>(pick(0, 7));
    t.body_hash = static_cast<std::uint64_t>(pick(1, 1'000'000));
    t.size.max_output_tokens = 10;
    return t;
  }

  void end_one() {
    auto const i = static_cast<std::size_t>(pick(0, static_cast<int>(flying_.size()) - 1));
    auto const id = flying_[i];
    flying_[i] = flying_.back();
    flying_.pop_back();
    auto const remaining = std::to_string(pick(1, 1'000'000));
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", "1000000"},
                                   {"x-ratelimit-remaining-tokens-minute", remaining}};
    header_view const told = shown_ ? header_view{fields} : header_view{};
    if (pick(0, 9) > 0)
      limiter.observe(id, {.status = 200, .headers = told, .error = {}}, now, wall_time{now.time_since_epoch()});
    if (pick(0, 5) == 0) return limiter.leave(id, now);
    limiter.settle(id, static_cast<std::uint64_t>(pick(1, 20)), 5, now);
  }

  std::mt19937 random_;
  bool shown_ = false;
  duration step_{};
  std::vector<ticket_id> flying_;
};

// Of each of nine limits 8,192 in its log and 2,304 in its reckoning; and of each of eight classes 1,024 clients that
// do not wait.
constexpr std::size_t most_of_a_scope = 9 * (8'192 + 2'304) + 8 * 1'100;
constexpr std::size_t most_arrivals = arrivals::most;

TEST(LawOfMemory, WhatIsKeptOfAScopeDoesNotGrowWithItsRequests) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(2); seed < last; ++seed) {
    SCOPED_TRACE(seed);
    traffic t(seed);
    t.send(40'000);
    EXPECT_LE(t.limiter.entries(), most_of_a_scope + most_arrivals);
  }
}

TEST(LawOfMemory, WhatWaitsTakesAFewEntriesEachAndLeavesNone) {
  traffic t(1);
  auto const before = t.limiter.entries();
  t.queue_up(1'000);
  EXPECT_LE(t.limiter.entries(), before + 3'000);
  t.now += 11min;
  t.limiter.poll(t.now);
  EXPECT_LE(t.limiter.entries(), before + most_arrivals + 8 * 1'100);
}

TEST(LawOfMemory, ScopesThatAreIdleAreForgottenBeyondTheirNumber) {
  limiter_settings settings;
  settings.max_scopes = 100;
  cerebras_limiter limiter(settings);
  for (int i = 0; i < 10'000; ++i) {
    auto const model = "m" + std::to_string(i);
    ticket_facts t;
    t.scope = {1, model};
    auto const decided = limiter.submit(t, time_point{1000h});
    limiter.settle(std::get<go>(decided).id, 1, 1, time_point{1000h});
  }
  EXPECT_LE(limiter.entries(), 100U * 20);
}

}  // namespace
}  // namespace cooldown::testing
