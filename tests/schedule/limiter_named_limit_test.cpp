// Limits that only a refusal has named, and costs that only a fool has asked for.
#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{1000h};
constexpr wall_time wall{490'000h};
constexpr scope_name scope{1, "m"};

bool knows_requests_a_day(cerebras_limiter& limiter) {
  auto const report = limiter.report(start + 1s);
  for (auto const& b : report.front().budgets)
    if (b.counts == resource::requests && b.over == window::day) return true;
  return false;
}

TEST(LimiterNamedLimit, OutlivesAConfigurationThatSaysNothingOfIt) {
  limiter_settings settings;
  cerebras_limiter limiter(settings);
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = 10;
  auto const id = std::get<go>(limiter.submit(t, start)).id;
  answer a;
  a.status = 429;
  a.error = {.message = "Requests per day limit exceeded",
             .type = "too_many_requests_error",
             .code = "request_quota_exceeded"};
  limiter.observe(id, a, start + 1s, wall);
  ASSERT_TRUE(knows_requests_a_day(limiter));
  settings.max_in_flight = 3;
  limiter.configure(settings, start + 1s);
  EXPECT_TRUE(knows_requests_a_day(limiter));
}

TEST(LimiterNamedLimit, AnAbsurdMaximumLeavesTheDayAsItWas) {
  limiter_settings settings;
  settings.quota.limits.limit[slot_of(resource::tokens, window::day)] = 1'000'000;
  cerebras_limiter limiter(settings);
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = UINT64_MAX;
  t.size.choices = 1'000;
  auto const decided = limiter.submit(t, start);
  if (auto const* const yes = std::get_if<go>(&decided)) {
    limiter.observe(yes->id, {.status = 400, .headers = {}, .error = {}}, start, wall);
    limiter.settle(yes->id, 0, std::nullopt, start);
  }
  auto const report = limiter.report(start);
  for (auto const& b : report.front().budgets)
    if (b.over == window::day && b.counts == resource::tokens) {
      EXPECT_NEAR(b.level, 1'000'000, 1);
    }
}

}  // namespace
}  // namespace cooldown
