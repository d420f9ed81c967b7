// Clients' shares depend on the tokens they use, whatever they reserve and however their answers end.
#include <gtest/gtest.h>

#include "market.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;

std::vector<double> used_by(const std::vector<habits>& clients, double tokens_a_minute = 100'000) {
  return market(tokens_a_minute).run(clients, 30min);
}

/// Its part of what two clients used, of what is its due.
double part(const std::vector<double>& used, double of_all = 0.5) {
  return used[0] / (used[0] + used[1]) / of_all;
}

TEST(FairUse, EqualClientsUseEquallyMuchWhateverTheyReserveAndHoweverLongTheirAnswersLast) {
  struct {
    double least, most;
    duration lasts;
  } const rows[] = {
      {250, 300, 200ms},    {1000, 2000, 200ms}, {1000, 2000, 2600ms}, {3000, 8000, 200ms},
      {3000, 8000, 2600ms}, {3000, 8000, 6s},    {300, 8000, 5s},
  };
  for (auto const& row : rows) {
    auto const got =
        used_by({{.connections = 30, .least_maximum = row.least, .most_maximum = row.most, .lasts = row.lasts},
                 {.connections = 20}});
    EXPECT_NEAR(part(got), 1, 0.015) << row.least << " to " << row.most << " for " << seconds_of(row.lasts) << " s";
  }
}

TEST(FairUse, HoweverAnAnswerEndsItsClientLosesNothing) {
  for (auto const ends : {ending::no_usage, ending::stopped}) {
    auto const got =
        used_by({{.connections = 30, .least_maximum = 3000, .most_maximum = 8000, .lasts = 2s, .ends = ends},
                 {.connections = 20}});
    EXPECT_NEAR(part(got), 1, 0.05) << static_cast<int>(ends);
  }
}

TEST(FairUse, WhoseAnswersNeverTellIsTakenToUseWhatOthersUse) {
  for (auto const ends : {ending::stopped_early, ending::failed}) {
    auto const got =
        used_by({{.connections = 30, .least_maximum = 16'000, .most_maximum = 16'000, .lasts = 500ms, .ends = ends},
                 {.connections = 20}});
    EXPECT_GT(part(got), 0.95) << static_cast<int>(ends);
  }
}

TEST(FairUse, WeightsAreSharesOfWhatIsUsed) {
  for (double const quota : {30'000.0, 100'000.0, 1'000'000.0}) {
    auto const got =
        used_by({{.connections = 200, .least_maximum = 1000, .most_maximum = 4000, .lasts = 1s, .weight = 3},
                 {.connections = 200}},
                quota);
    EXPECT_NEAR(part(got, 0.75), 1, 0.03) << quota;
  }
}

TEST(FairUse, WhoComesBackStartsWithTheOthers) {
  auto const got = market().run({{.connections = 30}, {.connections = 30, .absent = 10min}}, 20min);
  EXPECT_NEAR(got[1] / (got[0] - 1'000'000), 1, 0.1);
}

}  // namespace
}  // namespace cooldown::testing
