// The learned concurrency limit, against providers with a known one.
#include "cooldown/schedule/concurrency.hpp"

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

/// Clients that ask without end, of which those refused rest for a second, and a provider.
struct world {
  std::function<std::size_t(duration)> capacity = [](duration) { return std::size_t{1'000'000}; };
  double unlucky = 0;  // share refused whatever is in flight
  duration answer_time = 1s;
  duration travel = 1ms;  // each way
  std::size_t clients = 24;

  struct figures {
    double admitted = 0;
    double refused = 0;
    double refusals_per_admission() const { return refused / std::max(1.0, admitted); }
  };

  figures run(concurrency& c, duration from, duration until) {
    figures f;
    auto const end = start + until;
    events.emplace(start + from, [this] { go(); });
    now = start + from;
    tally = &f;
    subject = &c;
    while (!events.empty() && events.begin()->first < end) {
      now = events.begin()->first;
      auto const what = std::move(events.begin()->second);
      events.erase(events.begin());
      what();
    }
    return f;
  }

 private:
  void after(duration d, std::function<void()> what) { events.emplace(now + d, std::move(what)); }

  void go() {
    while (busy + resting < clients && in_flight < subject->limit(now).value_or(1'000'000)) {
      ++busy;
      ++in_flight;
      subject->on_release(in_flight);
      undecided.push_back({in_flight, now});
      after(travel, [this, which = std::prev(undecided.end())] { arrive(which); });
    }
  }

  struct attempt {
    std::size_t among;
    time_point sent;
    bool told = false;  // that it was admitted, or presumed so
  };
  using attempts = std::list<attempt>;

  void arrive(attempts::iterator which) {
    bool const refused = at_provider >= capacity(now - start) || std::bernoulli_distribution(unlucky)(random);
    if (refused) {
      after(travel, [this, which] { take_back(which); });
      return;
    }
    ++at_provider;
    auto const takes = duration_of_seconds(seconds_of(answer_time) * std::uniform_real_distribution(0.5, 1.5)(random));
    after(takes, [this] { --at_provider; });
    after(takes + travel, [this, which] {
      tally->admitted += 1;
      --busy;
      --in_flight;
      admitted(*which);
      subject->on_end(now - which->sent);
      undecided.erase(which);
      go();
    });
  }

  void take_back(attempts::iterator which) {
    tally->refused += 1;
    --busy;
    --in_flight;
    ++resting;
    auto const refused = *which;
    undecided.erase(which);
    for (auto& each : undecided)
      if (each.sent + subject->quiet_time() <= now) admitted(each);
    subject->on_refusal(refused.among, refused.sent, now);
    after(1s, [this] { --resting, go(); });
    go();
  }

  void admitted(attempt& a) {
    if (!std::exchange(a.told, true)) subject->on_success(a.among, a.sent, now);
  }

  std::multimap<time_point, std::function<void()>> events;
  std::mt19937_64 random{7};
  attempts undecided;
  std::size_t busy = 0;
  std::size_t resting = 0;
  std::size_t in_flight = 0;
  std::size_t at_provider = 0;
  time_point now;
  figures* tally = nullptr;
  concurrency* subject = nullptr;
};

TEST(Concurrency, NoLimitIsKnownBeforeARefusal) {
  concurrency c;
  EXPECT_FALSE(c.limit(start));
  for (std::size_t n = 1; n < 100; ++n) c.on_success(n, start, start);
  EXPECT_FALSE(c.limit(start));
  EXPECT_EQ(c.forecast(1000, 1000, start), start);
}

TEST(Concurrency, ALimitIsLearnedAndUsed) {
  constexpr auto travel_time = 2ms;
  for (std::size_t const most : {1U, 3U, 8U, 20U, 100U}) {
    for (auto const answer_time : {100ms, 1000ms, 20'000ms}) {
      world w;
      w.capacity = [=](duration) { return most; };
      w.answer_time = answer_time;
      w.clients = 3 * most;
      concurrency c;
      auto const f = w.run(c, 0s, 1800s);
      EXPECT_GE(f.admitted, 0.95 * static_cast<double>(most) * 1800 / seconds_of(answer_time + 4ms)) << most;
      // Until the first answer nothing is known, and two in three come again every second. Where answers are as short
      // as travel is long, one more than the limit often finds a place that has just become free.
      double const beginning = 2.0 * static_cast<double>(most) * (2 + seconds_of(answer_time)) + 150;
      EXPECT_LE(f.refused, (most * travel_time > answer_time ? 0.2 : 0.05) * f.admitted + beginning) << most;
    }
  }
}

TEST(Concurrency, RefusalsThatHaveNothingToDoWithItTeachNothing) {
  for (double const share : {0.01, 0.05, 0.2, 0.5}) {
    for (auto const& [travel, clients] : {std::pair{1ms, 24U}, {50ms, 24U}, {2ms, 240U}}) {
      world w;
      w.clients = clients;
      w.unlucky = share;
      w.travel = travel;
      concurrency c;
      auto const f = w.run(c, 0s, 1800s);
      double const free = clients * 1800 / (seconds_of(w.answer_time + 2 * travel) + share / (1 - share));
      EXPECT_GE(f.admitted, (share < 0.5 ? 0.97 : 0.85) * free) << share;
    }
  }
}

TEST(Concurrency, BadLuckDoesNotHideALimit) {
  world w;
  w.capacity = [](duration) { return std::size_t{8}; };
  w.unlucky = 0.2;
  concurrency c;
  auto const f = w.run(c, 0s, 1800s);
  EXPECT_GE(f.admitted, 0.95 * 8 * 1800);
  EXPECT_LE(f.refusals_per_admission(), 0.3);
}

TEST(Concurrency, AChangeIsFollowedBothWays) {
  world w;
  w.clients = 60;
  w.capacity = [](duration t) { return std::size_t{t < 600s ? 8U : t < 1200s ? 3U : 20U}; };
  concurrency c;
  auto f = w.run(c, 0s, 600s);
  EXPECT_GE(f.admitted, 0.95 * 8 * 600);
  f = w.run(c, 600s, 1200s);
  EXPECT_GE(f.admitted, 0.93 * 3 * 600);
  EXPECT_LE(f.refusals_per_admission(), 0.2);
  f = w.run(c, 1200s, 1800s);
  EXPECT_GE(f.admitted, 0.85 * 20 * 600) << "steps double while they work";
  EXPECT_LE(f.refusals_per_admission(), 0.05);
}

TEST(Concurrency, TenMinutesWithoutARefusalForgetIt) {
  concurrency c;
  for (std::size_t n = 1; n <= 4; ++n) c.on_success(n, start, start);
  for (std::size_t n = 5; n <= 24; ++n) c.on_refusal(n, start, start);
  EXPECT_EQ(c.limit(start), 4U);
  EXPECT_EQ(c.limit(start + 10min), 4U);
  EXPECT_FALSE(c.limit(start + 10min + 1ns));
}

TEST(Concurrency, AForecastCountsTheAnswersThatHaveToEndBefore) {
  concurrency c;
  for (std::size_t n = 1; n <= 4; ++n) c.on_success(n, start, start);
  for (std::size_t n = 5; n <= 24; ++n) c.on_refusal(n, start, start);
  c.on_end(8s);
  struct {
    std::size_t in_flight;
    double ahead;
    duration expected;
  } const table[] = {{0, 0, 0s}, {3, 0, 0s}, {4, 0, 2s}, {3, 1, 2s}, {4, 3, 8s}, {4, 99, 200s}};
  for (auto const& row : table) EXPECT_EQ(c.forecast(row.in_flight, row.ahead, start), start + row.expected);
}

}  // namespace
}  // namespace cooldown
