// What a limiter has learned survives as text.
#include "cooldown/state/learned_json.hpp"

#include <string>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

using namespace cooldown;
using namespace cooldown::state;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{std::chrono::hours{1}};
constexpr wall_time wall{std::chrono::hours{24} * 20'000};

learned_scope learned() {
  cerebras_limiter limiter{limiter_settings{}};
  ticket_facts f;
  f.scope = {.credential = 17'000'000'000'000'000'000ULL, .model = "m \"quoted\" ü"};
  f.size.max_output_tokens = 10;
  auto now = start;
  for (int i = 0; i < 5; ++i, now += 2s) {
    auto const id = std::get<go>(limiter.submit(f, now)).id;
    auto const tokens = std::to_string(900 - 90 * i);
    auto const requests = std::to_string(99 - i);
    std::vector<header_field> const fields{{"x-ratelimit-limit-tokens-minute", "1000"},
                                           {"x-ratelimit-remaining-tokens-minute", tokens},
                                           {"x-ratelimit-limit-requests-day", "100"},
                                           {"x-ratelimit-remaining-requests-day", requests},
                                           {"x-ratelimit-reset-requests-day", "40000"}};
    limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
    limiter.settle(id, 90, 80, now + 1s, 40);
  }
  return limiter.save(now, wall).scopes.at(0);
}

/// Every member, numbers to the last digits that Boost.JSON reads exactly.
void expect_alike(const boost::json::value& got, const boost::json::value& wanted, const std::string& where) {
  ASSERT_EQ(got.kind(), wanted.kind()) << where;
  if (got.is_object()) {
    ASSERT_EQ(got.as_object().size(), wanted.as_object().size()) << where;
    for (auto const& [name, value] : wanted.as_object()) {
      ASSERT_TRUE(got.as_object().contains(name)) << where << '.' << name;
      expect_alike(got.at(name), value, where + '.' + std::string(name));
    }
  } else if (got.is_array()) {
    ASSERT_EQ(got.as_array().size(), wanted.as_array().size()) << where;
    for (std::size_t i = 0; i < got.as_array().size(); ++i)
      expect_alike(got.at(i), wanted.at(i), where + '[' + std::to_string(i) + ']');
  } else if (got.is_double()) {
    EXPECT_DOUBLE_EQ(got.as_double(), wanted.as_double()) << where;
  } else {
    EXPECT_EQ(got, wanted) << where;
  }
}

}  // namespace

TEST(LearnedJson, RoundTrips) {
  auto const before = learned();
  ASSERT_GE(before.quota.limits.size(), 2U);
  auto const text = to_json(before);
  auto const after = learned_scope_of(text);
  ASSERT_TRUE(after);
  expect_alike(boost::json::parse(to_json(*after)), boost::json::parse(text), "scope");
  EXPECT_EQ(after->model, before.model);
  EXPECT_EQ(after->credential, before.credential);
  EXPECT_EQ(after->last_used, before.last_used);
  EXPECT_EQ(after->quota.limits[0].id, before.quota.limits[0].id);
  EXPECT_EQ(after->quota.limits[0].limit, before.quota.limits[0].limit);
  EXPECT_DOUBLE_EQ(after->quota.limits[0].level, before.quota.limits[0].level);
  EXPECT_DOUBLE_EQ(after->costs.use_share, before.costs.use_share);
}

TEST(LearnedJson, TakesWhatAnOlderOrNewerProgramWrote) {
  auto const scope = learned_scope_of(R"({"model":"m","of_the_future":[1,2],"quota":{"answered":true}})");
  ASSERT_TRUE(scope);
  EXPECT_EQ(scope->model, "m");
  EXPECT_TRUE(scope->quota.answered);
  EXPECT_EQ(scope->costs.use_share, learned_costs{}.use_share);
}

TEST(LearnedJson, RefusesWhatIsNone) {
  for (auto const* const text : {"", "[]", "{", R"({"model":7})", R"({"quota":{"limits":[{"id":[9,60]}]}})",
                                 R"({"quota":{"limits":[{"id":[0,0]}]}})", R"({"last_used":"soon"})",
                                 R"({"costs":{"inputs":[]}})", R"({"costs":{"use_share":1e999}})"})
    EXPECT_FALSE(learned_scope_of(text)) << text;
}
