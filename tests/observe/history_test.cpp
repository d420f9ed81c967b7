// The history that the live page draws: differences, bounds, and the columns of its JSON.
#include "cooldown/observe/history.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::observe;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{std::chrono::hours{1}};

wall_time at(int seconds) {
  return wall_time{std::chrono::seconds{1'000'000 + seconds}};
}

scope_report scope(std::string model, std::uint64_t released, double used) {
  scope_report r;
  r.model = std::move(model);
  r.credential = 7'000'042;
  r.totals = {.released = released, .tokens_released = 2 * used, .tokens_used = used, .refused = released / 10};
  r.budgets.push_back({resource::tokens, window::minute, 1000, 400, refill::continuous, true, true, std::nullopt});
  r.binding = {.id = {resource::tokens, window::minute}, .limit = 1000, .level = 400};
  return r;
}

boost::json::array scopes_of(const history& h, std::uint32_t after = 0) {
  return boost::json::parse(h.json(after)).as_object().at("scopes").as_array();
}

std::vector<double> column(const boost::json::value& scope, std::string_view name) {
  std::vector<double> out;
  for (auto const& v : scope.as_object().at(name).as_array()) out.push_back(v.to_number<double>());
  return out;
}

}  // namespace

using ::testing::ElementsAre;

TEST(History, PointsAreDifferences) {
  history h;
  h.sample({scope("m", 10, 100)}, start, at(0));
  h.sample({scope("m", 30, 150)}, start, at(1));
  h.sample({scope("m", 30, 150)}, start, at(2));
  auto const all = scopes_of(h);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].at("model"), "m");
  EXPECT_EQ(all[0].at("credential").to_number<int>(), 42);
  EXPECT_THAT(column(all[0], "time"), ElementsAre(1'000'000, 1'000'001, 1'000'002));
  EXPECT_THAT(column(all[0], "released"), ElementsAre(10, 20, 0));
  EXPECT_THAT(column(all[0], "used"), ElementsAre(100, 50, 0));
  EXPECT_THAT(column(all[0], "refused"), ElementsAre(1, 2, 0));
  EXPECT_THAT(column(all[0], "remaining"), ElementsAre(400, 400, 400));
}

TEST(History, TellsWhenTheNextResetIs) {
  history h;
  auto s = scope("m", 0, 0);
  h.sample({s}, start, at(0));
  s.budgets[0].next_reset = start + 12s;
  h.sample({s}, start, at(1));
  h.sample({s}, start + 13s, at(14));
  EXPECT_THAT(column(scopes_of(h)[0], "reset_in"), ElementsAre(-1, 12, 0));
}

TEST(History, ShowsTheLimitThatBinds) {
  history h;
  auto s = scope("m", 0, 0);
  s.budgets.push_back({resource::requests, window::minute, 30, 0, refill::window, true, true, start + 20s});
  s.binding = {.id = {resource::requests, window::minute}, .limit = 30, .level = 0};
  h.sample({s}, start, at(0));
  s.binding.reset();
  h.sample({s}, start, at(1));
  auto const all = scopes_of(h);
  EXPECT_THAT(column(all[0], "limit"), ElementsAre(30, 0));
  EXPECT_THAT(column(all[0], "remaining"), ElementsAre(0, -1));
  EXPECT_THAT(column(all[0], "reset_in"), ElementsAre(20, -1));
}

TEST(History, OnlyWhatIsNewIsTold) {
  history h;
  for (int i = 0; i < 5; ++i) h.sample({scope("m", 0, 0)}, start, at(i));
  EXPECT_THAT(column(scopes_of(h, h.latest() - 2)[0], "time"), ElementsAre(1'000'003, 1'000'004));
  EXPECT_TRUE(scopes_of(h, h.latest()).empty());
}

TEST(History, ScopesThatComeAnewCountFromNothing) {
  history h;
  h.sample({scope("m", 100, 1000)}, start, at(0));
  h.sample({scope("m", 3, 30)}, start, at(1));
  EXPECT_THAT(column(scopes_of(h)[0], "released"), ElementsAre(100, 3));
}

TEST(History, IsBoundedInTimeAndInScopes) {
  history h;
  for (int i = 0; i < 2000; ++i) h.sample({scope("m", 0, 0)}, start, at(i));
  EXPECT_EQ(column(scopes_of(h)[0], "time").size(), history::most_points);
  std::vector<scope_report> many;
  for (int i = 0; i < 200; ++i) many.push_back(scope("model-" + std::to_string(i), i >= 100 ? 1 : 0, 0));
  h.sample(many, start, at(2000));
  auto const kept = scopes_of(h);
  EXPECT_EQ(kept.size(), history::most_scopes);
  for (auto const& s : kept) EXPECT_THAT(column(s, "released").back(), 1) << "one that is not in use was kept";
}

TEST(History, AClockThatIsSetBackLeavesNoPointsInTheFuture) {
  history h;
  h.sample({scope("m", 1, 0)}, start, at(1000));
  h.sample({scope("m", 2, 0)}, start, at(10));
  h.sample({scope("m", 3, 0)}, start, at(11));
  EXPECT_THAT(column(scopes_of(h)[0], "time"), ElementsAre(1'000'010, 1'000'011));
}

TEST(History, KeepsTheLastRequests) {
  history h;
  for (unsigned i = 0; i < 250; ++i) {
    access_record r;
    r.id = i;
    h.record(std::move(r), at(0));
  }
  ASSERT_EQ(h.recent().size(), history::most_recent);
  EXPECT_EQ(h.recent().front().what.id, 150U);
  EXPECT_EQ(h.recent().back().what.id, 249U);
}
