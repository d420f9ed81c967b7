// The binding limit.
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr scope_name scope{1, "m"};

ticket_facts costing(double tokens) {
  ticket_facts t;
  t.scope = scope;
  t.size.max_output_tokens = static_cast<std::uint64_t>(tokens) - 8;
  return t;
}

binding_limit binding_of(cerebras_limiter& limiter, time_point now = start) {
  auto const found = limiter.report(now).at(0).binding;
  EXPECT_TRUE(found);
  return found.value_or(binding_limit{});
}

void expect(const binding_limit& b, resource counted, window over, double level, double limit) {
  EXPECT_STREQ(name_of(b.id.counts), name_of(counted));
  EXPECT_EQ(name_of(b.id.over), name_of(over));
  EXPECT_NEAR(b.level, level, 0.01);
  EXPECT_EQ(b.limit, limit);
}

void tell(cerebras_limiter& limiter, std::vector<header_field> fields) {
  limiter.update_from_headers(scope, fields, start, wall_time{490'000h});
}

std::vector<header_field> headers(const char* tokens, const char* requests_a_day) {
  return {{"x-ratelimit-limit-tokens-minute", "60000"},
          {"x-ratelimit-remaining-tokens-minute", tokens},
          {"x-ratelimit-limit-requests-day", "100"},
          {"x-ratelimit-remaining-requests-day", requests_a_day},
          {"x-ratelimit-reset-requests-day", "3600"}};
}

limiter_settings by_headers() {
  limiter_settings s;
  s.quota.rpm_limit = 1e6;
  return s;
}

TEST(QuotaBinding, WithoutAWaitItIsTheLimitOfWhichTheLowestShareIsLeft) {
  cerebras_limiter limiter(by_headers());
  tell(limiter, headers("30000", "90"));
  expect(binding_of(limiter), resource::tokens, window::minute, 30'000, 60'000);
  tell(limiter, headers("59000", "20"));
  expect(binding_of(limiter), resource::requests, window::day, 20, 100);
}

TEST(QuotaBinding, OfTheNextOneThatWaitsItIsTheLimitThatHoldsItLongest) {
  cerebras_limiter limiter(by_headers());
  tell(limiter, headers("20000", "10"));
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(50'000), start)));
  expect(binding_of(limiter), resource::tokens, window::minute, 20'000, 60'000);
  tell(limiter, headers("20000", "0"));
  expect(binding_of(limiter), resource::requests, window::day, 0, 100);
}

TEST(QuotaBinding, StaticLimitsAreLimitsToo) {
  limiter_settings s;
  s.quota.use_headers = false;
  s.quota.rpm_limit = 2;
  cerebras_limiter limiter(s);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(40'000), start)));
  expect(binding_of(limiter), resource::tokens, window::minute, 20'000, 60'000);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(100), start)));
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(costing(100), start)));
  expect(binding_of(limiter), resource::requests, window::minute, 0, 2);
}

TEST(QuotaBinding, WhereNoLimitIsKnownThereIsNone) {
  limiter_settings s;
  s.quota.header_fallback = false;
  cerebras_limiter limiter(s);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(costing(100), start)));
  EXPECT_FALSE(limiter.report(start).at(0).binding);
}

}  // namespace
}  // namespace cooldown
