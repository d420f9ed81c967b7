// The IETF's rate-limit headers through the reader of all dialects.
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/dialect/rate_limit_headers.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using fields = std::vector<header_field>;

/// Whether or not tokens a minute are among it.
rate_limit_snapshot all_of(const fields& from) {
  auto const result = parse_rate_limit_headers(from, {});
  auto const* const whole = std::get_if<rate_limit_snapshot>(&result);
  return whole ? *whole : std::get<rate_limit_header_error>(result).rest;
}

void expect(const limit_snapshot& s, std::uint64_t limit, std::uint64_t remaining, std::optional<duration> reset) {
  EXPECT_EQ(s.limit, limit);
  EXPECT_EQ(s.remaining, remaining);
  EXPECT_EQ(s.reset, reset);
}

TEST(IetfHeaders, UnitsAreRequestsUnlessTheyAreSaidToBeTokens) {
  auto const s = all_of({{"RateLimit-Policy", R"("default";q=100;w=3600, "t";q=60000;w=60;qu="tokens")"},
                         {"RateLimit", R"("default";r=50;t=30, "t";r=1000;t=5)"}});
  expect(s.at(resource::requests, window::hour), 100, 50, 30s);
  expect(s.at(resource::tokens, window::minute), 60'000, 1'000, 5s);
  auto const named =
      all_of({{"RateLimit-Policy", "tokens-per-day;q=5;w=86400"}, {"RateLimit", "tokens-per-day;r=3;t=9"}});
  expect(named.at(resource::tokens, window::day), 5, 3, 9s);
}

TEST(IetfHeaders, WhatCannotBeKeptToIsLeftOut) {
  for (auto const* const policy :
       {"a;q=100;w=0", "a;q=100;w=9999999", "a;q=100;qu=\"content-bytes\"", "a;q=9;qu=\"concurrent-requests\"",
        "a;q=0;w=60", "a;q=18446744073709551615;w=60", "a;q=-1", "b;q=100;w=60;w=x"}) {
    auto const s = all_of({{"RateLimit-Policy", policy}, {"RateLimit", "a;r=5;t=1"}});
    for (auto const& each : s.limits) EXPECT_FALSE(each.value.limit && each.value.remaining) << policy;
  }
}

TEST(IetfHeaders, OlderForms) {
  auto const three =
      all_of({{"RateLimit-Limit", "100, 100;w=3600"}, {"RateLimit-Remaining", "7"}, {"RateLimit-Reset", "12"}});
  expect(three.at(resource::requests, window::hour), 100, 7, 12s);
  auto const several = all_of({{"RateLimit-Limit", "50, 10;w=1, 50;w=60, 1000;w=3600"}, {"RateLimit-Remaining", "7"}});
  EXPECT_EQ(several.at(resource::requests, window::minute).limit, 50U) << "of several the one that binds";
  EXPECT_FALSE(several.at(resource::requests, window::hour).any());
  auto const second = all_of({{"RateLimit-Limit", "10, 10;w=1, 50;w=60, 5000;w=86400"}, {"RateLimit-Remaining", "7"}});
  expect(second.at(resource::requests, window::second), 10, 7, std::nullopt);
  auto const one = all_of({{"RateLimit", "limit=100, remaining=-3, reset=12"}});
  expect(one.at(resource::requests, window::minute), 100, 0, 12s);
}

TEST(IetfHeaders, ValuesObeyTheRulesOfTheOtherDialects) {
  auto const& minute = [](const fields& f) { return all_of(f).at(resource::requests, window::minute); };
  EXPECT_EQ(minute({{"RateLimit-Policy", "a;q=5"}, {"RateLimit", "a;r=9007199254740993;t=1"}}).remaining, std::nullopt);
  EXPECT_EQ(minute({{"RateLimit-Policy", "a;q=5"}, {"RateLimit", "a;r=-3;t=1"}}).remaining, 0U);
  auto const repeated = minute({{"RateLimit-Policy", "a;q=5"},
                                {"RateLimit-Policy", "a;q=50"},
                                {"RateLimit", "a;r=1;t=30"},
                                {"RateLimit", "a;r=4;t=3"},
                                {"RateLimit", "rubbish"}});
  expect(repeated, 5, 1, 30s);
}

TEST(IetfHeaders, TheProvidersOwnHeadersComeFirst) {
  auto const s = all_of({{"x-ratelimit-limit-requests-minute", "30"},
                         {"x-ratelimit-remaining-requests-minute", "29"},
                         {"RateLimit-Policy", "a;q=5"},
                         {"RateLimit", "a;r=1;t=30"}});
  EXPECT_EQ(s.at(resource::requests, window::minute).limit, 30U);
}

}  // namespace
}  // namespace cooldown
