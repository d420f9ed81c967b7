#include "cooldown/core/request_queue.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gmock/gmock.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr time_point start{std::chrono::hours{1000}};

class RequestQueue : public ::testing::Test {
 protected:
  queue_place push(std::uint64_t client, double cost, std::uint8_t urgency = 3, time_point at = start) {
    queue_place const p{
        .arrival = ++arrivals_, .client = client, .weight = weights_[client], .urgency = urgency, .submitted = at};
    queue.push(p, p.arrival, cost);
    places_[p.arrival] = p;
    return p;
  }
  ticket_id next(time_point now = start, duration ageing = {}) {
    std::vector<request_queue::head> heads;
    queue.heads(now, ageing, 1, heads);
    return heads.at(0).id;
  }
  ticket_id release(time_point now = start, duration ageing = {}) {
    auto const id = next(now, ageing);
    queue.release(places_.at(id));
    return id;
  }
  /// Tokens that each client gets while all of them always have two tickets waiting.
  std::map<std::uint64_t, double> shares(const std::vector<std::uint64_t>& clients, int releases) {
    std::mt19937 random(1);
    std::uniform_real_distribution<double> cost(100, 2000);
    std::map<ticket_id, double> costs;
    auto const submit = [&](std::uint64_t c) {
      double const n = cost(random);
      costs[push(c, n).arrival] = n;
    };
    for (auto const c : clients) {
      submit(c);
      submit(c);
    }
    std::map<std::uint64_t, double> got;
    for (int i = 0; i < releases; ++i) {
      auto const id = release();
      got[places_.at(id).client] += costs.at(id);
      submit(places_.at(id).client);
    }
    return got;
  }

  request_queue queue;
  std::map<std::uint64_t, double> weights_{{1, 1}, {2, 1}, {3, 1}, {4, 1}};
  std::map<ticket_id, queue_place> places_;
  std::uint64_t arrivals_ = 0;
};

TEST_F(RequestQueue, OneClientIsServedInItsOrder) {
  for (double const cost : {500.0, 10.0, 900.0, 1.0}) push(1, cost);
  for (ticket_id id = 1; id <= 4; ++id) EXPECT_EQ(release(), id);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.cost(), 0);
}

TEST_F(RequestQueue, TheUrgentGoFirst) {
  push(1, 10, 7);
  push(1, 10, 3);
  push(2, 10, 0);
  push(1, 10, 0);
  EXPECT_THAT(queue.order(9), ElementsAre(3, 4, 2, 1));
  EXPECT_EQ(release(), 3U);
  EXPECT_EQ(release(), 4U);
  EXPECT_EQ(release(), 2U);
  EXPECT_EQ(release(), 1U);
}

TEST_F(RequestQueue, NobodyStarvesBehindTheUrgent) {
  push(1, 10, 7, start);
  auto now = start;
  int before = 0;
  for (; before < 1000; ++before) {
    push(2, 10, 0, now);
    if (release(now, 30s) == 1) break;
    now += 1s;
  }
  EXPECT_EQ(before, 210);  // seven classes of 30 s; then it is the older one
}

TEST_F(RequestQueue, WithoutAgeingClassesAreStrict) {
  push(1, 10, 7, start);
  push(2, 10, 6, start + 24h);
  EXPECT_EQ(next(start + 48h, 0s), 2U);
}

TEST_F(RequestQueue, EqualClientsGetEqualTokens) {
  auto const got = shares({1, 2, 3, 4}, 8000);
  double const all = got.at(1) + got.at(2) + got.at(3) + got.at(4);
  for (auto const& [client, tokens] : got) EXPECT_NEAR(tokens / all, 0.25, 0.005) << client;
}

TEST_F(RequestQueue, WeightsDivideTheRest) {
  weights_[1] = 3;
  auto const got = shares({1, 2}, 8000);
  EXPECT_NEAR(got.at(1) / got.at(2), 3, 0.06);
}

TEST_F(RequestQueue, SenselessWeightsBreakNothing) {
  weights_[1] = std::numeric_limits<double>::quiet_NaN();
  weights_[2] = -5;
  weights_[3] = std::numeric_limits<double>::infinity();
  auto const got = shares({1, 2, 3, 4}, 1000);
  EXPECT_GT(got.at(3), got.at(4));
}

TEST_F(RequestQueue, ALightClientWaitsForOneTicketOfAHeavyOne) {
  for (int i = 0; i < 1000; ++i) push(1, 500);
  for (int i = 0; i < 10; ++i) release();
  auto const light = push(2, 500).arrival;
  EXPECT_EQ(release(), light);
}

TEST_F(RequestQueue, AbsenceEarnsNothing) {
  for (int i = 0; i < 300; ++i) push(1, 100);
  for (int i = 0; i < 200; ++i) release();
  for (int i = 0; i < 100; ++i) push(2, 100);
  std::map<std::uint64_t, int> served;
  for (int i = 0; i < 40; ++i) ++served[places_.at(release()).client];
  EXPECT_NEAR(served[1], served[2], 2);
}

TEST_F(RequestQueue, WhoCancelsPaysNothing) {
  for (int i = 0; i < 200; ++i) push(1, 100);
  for (int i = 0; i < 100; ++i) push(2, 100);
  for (ticket_id id = 2; id <= 200; id += 2) queue.erase(places_.at(id));  // every other one of the first client's
  std::map<std::uint64_t, int> served;
  for (int i = 0; i < 100; ++i) ++served[places_.at(release()).client];
  EXPECT_NEAR(served[1], 50, 1);
}

TEST_F(RequestQueue, TheRefusedIsNextAgain) {
  push(1, 500);
  push(1, 500);
  push(2, 500);
  auto const id = release();
  queue.credit(places_.at(id), 500);
  queue.push(places_.at(id), id, 500);
  EXPECT_EQ(next(), id);
}

TEST_F(RequestQueue, WhatWasNotUsedIsCredited) {
  std::map<std::uint64_t, int> served;
  for (int i = 0; i < 400; ++i) {
    push(1, 8000);  // reserves much, uses 200
    push(2, 200);
  }
  for (int i = 0; i < 400; ++i) {
    auto const& p = places_.at(release());
    ++served[p.client];
    if (p.client == 1) queue.credit(p, 7800);
  }
  EXPECT_NEAR(served[1], 200, 3);
}

TEST_F(RequestQueue, KnowsWhatIsAhead) {
  push(1, 100);
  push(1, 200);
  auto const last = push(1, 300);
  auto const urgent = push(2, 50, 0);
  auto const ahead = queue.ahead_of(last);
  EXPECT_EQ(ahead.requests, 3);
  EXPECT_EQ(ahead.tokens, 350);
  EXPECT_EQ(queue.ahead_of(urgent).requests, 0);
}

TEST_F(RequestQueue, OfAnotherClientItsFairPartIsAhead) {
  for (int i = 0; i < 100; ++i) push(1, 100);
  for (int i = 0; i < 9; ++i) push(2, 100);
  auto const tenth = push(2, 100);
  EXPECT_NEAR(queue.ahead_of(tenth).requests, 19, 1);
  auto const order = queue.order(200);
  auto const place = std::find(order.begin(), order.end(), tenth.arrival) - order.begin();
  EXPECT_NEAR(queue.ahead_of(tenth).requests, static_cast<double>(place), 1);
}

TEST_F(RequestQueue, TheOrderThatItShowsIsTheOrderInWhichItReleases) {
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i)
    push(1 + random() % 4, 1 + static_cast<double>(random() % 1000), static_cast<std::uint8_t>(random() % 8));
  for (auto const id : queue.order(1000)) ASSERT_EQ(release(), id);
}

TEST_F(RequestQueue, CostsCanBeLearnedAnew) {
  push(1, 16'384);
  push(2, 16'384);
  queue.reprice([](ticket_id) { return 300.0; });
  EXPECT_EQ(queue.cost(), 600);
  release();
  EXPECT_EQ(queue.cost(), 300);
}

TEST_F(RequestQueue, ForgetsThoseWhoHaveGone) {
  for (std::uint64_t client = 10; client < 100'000; ++client) {
    weights_[client] = 1;
    push(client, 10);
    release();
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_LE(queue.remembered(), 3000U);
}

}  // namespace
}  // namespace cooldown
