// Shares of clients go by the tokens that they use, whatever they reserve and however their answers end.
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr wall_time wall{std::chrono::hours{490'000}};
constexpr std::uint64_t overhead = 8;  // of the estimate of an empty input

enum class ending { usage, no_usage, stopped, stopped_early, failed };

/// A client with so many connections, each of which asks again when it has been answered.
struct habits {
  int connections = 20;
  double least_maximum = 250;
  double most_maximum = 300;
  double used = 250;
  duration lasts = 200ms;
  ending ends = ending::usage;
  double weight = 1;
  duration absent{0};   // before its first request
  bool absurd = false;  // its maximum is the largest number
};

/// Clients of one scope, whose provider has a bucket of tokens, in simulated time.
class market {
 public:
  explicit market(double tokens_a_minute = 100'000) : limit(tokens_a_minute) {
    limiter_settings settings;
    settings.quota.rpm_limit = 1e9;
    settings.quota.tpm_limit = tokens_a_minute;
    settings.quota.replenishment = refill::continuous;
    limiter.configure(settings, start);
    show_level(0);
  }

  /// The tokens that each client used within `length`.
  std::vector<double> run(const std::vector<habits>& of, duration length) {
    clients = of;
    used.assign(of.size(), 0);
    for (std::size_t i = 0; i < of.size(); ++i)
      for (int k = 0; k < of[i].connections; ++k) at(start + of[i].absent, [this, i] { ask(i); });
    while (!events.empty() && events.top().when <= start + length) {
      auto const next = events.top();
      events.pop();
      now = next.when;
      next.what();
      poll();
    }
    return used;
  }

 private:
  struct event {
    time_point when;
    std::uint64_t serial;
    std::function<void()> what;
    bool operator<(const event& o) const { return std::pair(when, serial) > std::pair(o.when, o.serial); }
  };

  void at(time_point when, std::function<void()> what) { events.push({when, ++serial, std::move(what)}); }

  void ask(std::size_t i) {
    auto const& c = clients[i];
    std::uniform_real_distribution<double> maximum(c.least_maximum, c.most_maximum);
    ticket_facts t;
    t.scope = {1, "m"};
    t.client = i + 1;
    t.weight = c.weight;
    t.max_wait = 24h;
    t.size.max_output_tokens = static_cast<std::uint64_t>(maximum(random)) - overhead;
    auto const decided = limiter.submit(t, now);
    if (auto const* const g = std::get_if<go>(&decided)) {
      send(g->id, i);
    } else {
      whose[std::get<queued>(decided).id] = i;
    }
  }

  void refill() {
    level = std::min(limit, level + limit / 60 * seconds_of(now - refilled));
    refilled = now;
  }

  void show_level(ticket_id id) {
    refill();
    auto const most = std::to_string(static_cast<std::int64_t>(limit));
    auto const left = std::to_string(std::max<std::int64_t>(0, static_cast<std::int64_t>(level)));
    header_field const fields[] = {{"x-ratelimit-limit-tokens-minute", most},
                                   {"x-ratelimit-remaining-tokens-minute", left}};
    if (id == 0) {
      limiter.update_from_headers({1, "m"}, fields, now, wall);
    } else {
      limiter.observe(id, {.status = 200, .headers = fields, .error = {}}, now, wall);
    }
  }

  void send(ticket_id id, std::size_t i) {
    refill();
    auto const cost = limiter.cost_of(id);
    level -= cost;
    show_level(id);
    at(now + clients[i].lasts, [this, cost, i] { level += cost - clients[i].used; });
    at(now + clients[i].lasts, [this, id, i] {
      end(id, i);
      ask(i);
    });
  }

  void end(ticket_id id, std::size_t i) {
    auto const& c = clients[i];
    auto const tokens = static_cast<std::uint64_t>(c.used);
    used[i] += c.used;
    switch (c.ends) {
      case ending::usage:
        return limiter.settle(id, tokens, std::nullopt, now);
      case ending::no_usage:
      case ending::stopped:
        return limiter.leave(id, now, tokens - overhead);
      case ending::stopped_early:
        return limiter.leave(id, now);
      case ending::failed:
        return limiter.settle(id, std::nullopt, std::nullopt, now);
    }
  }

  void poll() {
    for (auto const& e : limiter.poll(now)) {
      send(e.id, whose.at(e.id));
      whose.erase(e.id);
    }
    auto const next = limiter.next_deadline(now);
    if (!next || (armed > now && armed <= *next)) return;
    armed = *next;
    at(armed, [] {});
  }

  cerebras_limiter limiter{limiter_settings{}};
  std::vector<habits> clients;
  std::vector<double> used;
  std::map<ticket_id, std::size_t> whose;
  std::priority_queue<event> events;
  std::mt19937 random{1};
  std::uint64_t serial = 0;
  time_point now = start;
  time_point armed{};
  double limit;
  double level = 0;  // nobody starts with what has come in before
  time_point refilled = start;
};

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
}  // namespace cooldown
