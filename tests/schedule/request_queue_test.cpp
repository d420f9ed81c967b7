// The next ticket: classes, ageing, fair shares by tokens, and the value of a position.
#include "cooldown/schedule/request_queue.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};
constexpr std::uint64_t alice = 1;
constexpr std::uint64_t bob = 2;
constexpr std::uint64_t carol = 3;

struct options {
  double weight = 1;
  std::uint8_t urgency = 3;
  time_point submitted = start;
};

/// A queue, and the places of all that were ever in it. Ids are arrivals.
class RequestQueue : public ::testing::Test {
 protected:
  ticket_id push(std::uint64_t client, double cost, const options& o = {}) {
    auto const id = ++last_;
    places_[id] = {.arrival = id, .client = client, .weight = o.weight, .urgency = o.urgency, .submitted = o.submitted};
    costs_[id] = cost;
    queue.push(places_[id], id, cost);
    return id;
  }
  void push_back(ticket_id id) { queue.push(places_.at(id), id, costs_.at(id)); }
  void erase(ticket_id id) { queue.erase(places_.at(id)); }
  void credit(ticket_id id, double tokens) { queue.credit(places_.at(id), tokens); }
  request_queue::backlog ahead_of(ticket_id id) const { return queue.ahead_of(places_.at(id), start, 30s); }
  const queue_place& place(ticket_id id) const { return places_.at(id); }
  double cost(ticket_id id) const { return costs_.at(id); }

  ticket_id next(time_point now = start, duration ageing = 30s) const {
    std::vector<request_queue::head> heads;
    queue.heads(now, ageing, 1, heads);
    return heads.empty() ? 0 : heads.front().id;
  }
  /// The next goes.
  ticket_id go(time_point now = start, duration ageing = 30s) {
    auto const id = next(now, ageing);
    if (id != 0) queue.release(places_.at(id), now);
    return id;
  }
  std::vector<ticket_id> go_all() {
    std::vector<ticket_id> ids;
    while (auto const id = go()) ids.push_back(id);
    return ids;
  }
  /// Tokens that each client gets over `releases`, all of them always having tickets that wait.
  std::map<std::uint64_t, double> served(const std::map<std::uint64_t, double>& weights, int releases,
                                         unsigned seed = 1) {
    std::mt19937 random(seed);
    std::lognormal_distribution<double> costs(7, 1);
    auto const another = [&](std::uint64_t client) { push(client, costs(random), {.weight = weights.at(client)}); };
    for (auto const& [client, weight] : weights)
      for (int i = 0; i < 3; ++i) another(client);
    std::map<std::uint64_t, double> tokens;
    for (int i = 0; i < releases; ++i) {
      auto const id = go();
      tokens[place(id).client] += cost(id);
      another(place(id).client);
    }
    return tokens;
  }

  request_queue queue;

 private:
  std::map<ticket_id, queue_place> places_;
  std::map<ticket_id, double> costs_;
  ticket_id last_ = 0;
};

using ids = std::vector<ticket_id>;

TEST_F(RequestQueue, TheMostUrgentClassGoesFirst) {
  auto const last = push(alice, 10, {.urgency = 7});
  auto const middle = push(alice, 10);
  auto const first = push(alice, 10, {.urgency = 0});
  EXPECT_EQ(queue.order(10, start, 30s), (ids{first, middle, last}));
  EXPECT_EQ(go_all(), (ids{first, middle, last}));
}

TEST_F(RequestQueue, AnUrgencyOutOfRangeIsTheLowest) {
  auto const odd = push(alice, 10, {.urgency = 200});
  auto const lowest = push(alice, 10, {.urgency = 7});
  auto const middle = push(alice, 10);
  EXPECT_EQ(go_all(), (ids{middle, odd, lowest}));
}

TEST_F(RequestQueue, AClassThatHasWaitedLongGetsOneReleaseAndThenWaitsAgain) {
  auto const low = push(alice, 10, {.urgency = 5});
  auto const lower = push(alice, 10, {.urgency = 5});
  auto const high = push(bob, 10, {.urgency = 3, .submitted = start + 20s});
  auto const higher = push(bob, 10, {.urgency = 3, .submitted = start + 20s});
  EXPECT_EQ(next(start + 30s - 1ns), high);
  EXPECT_EQ(next(start + 30s, 0s), high);
  EXPECT_EQ(go(start + 30s), low);
  EXPECT_EQ(go(start + 31s), high);
  EXPECT_EQ(next(start + 60s - 1ns), higher);
  EXPECT_EQ(go(start + 60s), lower);
}

TEST_F(RequestQueue, HoweverLongOthersHaveWaitedTheUrgentWaitForOneOfThem) {
  for (int i = 0; i < 100; ++i)
    for (std::uint8_t u = 1; u < 8; ++u) push(alice, 10, {.urgency = u});
  for (auto const ageing : {duration{30s}, duration{1ms}}) {
    auto now = start + 10min;
    for (int i = 0; i < 20; ++i, now += 5s) {
      auto const urgent = push(bob, 10, {.urgency = 0, .submitted = now});
      int before = 0;
      while (go(now, ageing) != urgent) ++before;
      EXPECT_LE(before, 1);
    }
  }
}

TEST_F(RequestQueue, AgeingLetsNothingStarve) {
  std::map<std::uint8_t, int> went;
  for (int i = 0; i < 100; ++i)
    for (std::uint8_t u : {std::uint8_t{3}, std::uint8_t{7}}) push(alice, 10, {.urgency = u});
  auto now = start;
  for (int i = 0; i < 1000; ++i, now += 1s) {
    push(bob, 10, {.urgency = 0, .submitted = now});
    ++went[place(go(now)).urgency];
  }
  EXPECT_NEAR(went[3], 33, 1);  // one every 30 s
  EXPECT_NEAR(went[7], 50, 5);  // a twentieth
}

TEST_F(RequestQueue, AReleaseOutOfTurnIsForetold) {
  ids low;
  for (int i = 0; i < 3; ++i) low.push_back(push(alice, 10, {.urgency = 5}));
  auto const high = push(bob, 20, {.urgency = 3});
  auto const later = start + 30s;
  EXPECT_EQ(queue.order(9, start, 30s), (ids{high, low[0], low[1], low[2]}));
  EXPECT_EQ(queue.order(9, later, 30s), (ids{low[0], high, low[1], low[2]}));
  EXPECT_EQ(queue.order(9, later, 0s), (ids{high, low[0], low[1], low[2]}));
  EXPECT_EQ(queue.ahead_of(place(high), later, 30s).tokens, 10);
  EXPECT_EQ(queue.ahead_of(place(low[0]), later, 30s).tokens, 0);
  EXPECT_EQ(queue.ahead_of(place(low[1]), later, 30s).tokens, 30);
  // At the latest, whatever comes that is more urgent.
  EXPECT_EQ(queue.due_at(place(low[0]), 30s), start + 30s);
  EXPECT_EQ(queue.due_at(place(low[2]), 30s), start + 90s);
  EXPECT_FALSE(queue.due_at(place(high), 30s)) << "it is in turn";
  EXPECT_FALSE(queue.due_at(place(low[0]), 0s));
  EXPECT_EQ(queue.next_due(start, 30s), start + 30s);
  EXPECT_FALSE(queue.next_due(later, 30s)) << "it is due, and what follows it waits for its release";
}

TEST_F(RequestQueue, HeadsNameTheNextOfEveryClientInTheOrderOfTheirTurns) {
  auto const a = push(alice, 10);
  push(alice, 10);
  auto const b = push(bob, 20);
  auto const urgent = push(carol, 30, {.urgency = 1});
  std::vector<request_queue::head> heads;
  queue.heads(start, 30s, 10, heads);
  ASSERT_EQ(heads.size(), 3U);
  EXPECT_EQ(heads[0].id, urgent);
  EXPECT_EQ(heads[0].rank, 1U);
  EXPECT_EQ(heads[1].id, a);
  EXPECT_EQ(heads[2].id, b);
  EXPECT_EQ(heads[2].cost, 20);
  queue.heads(start, 30s, 2, heads);
  EXPECT_EQ(heads.size(), 2U);
}

TEST_F(RequestQueue, WithinAClientArrivalDecides) {
  ids pushed;
  for (int i = 0; i < 20; ++i) pushed.push_back(push(alice, 100 - i));
  EXPECT_EQ(go_all(), pushed);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.cost(), 0);
}

TEST_F(RequestQueue, EqualClientsGetEqualTokens) {
  auto const tokens = served({{alice, 1}, {bob, 1}}, 5000);
  EXPECT_NEAR(tokens.at(alice) / tokens.at(bob), 1, 0.05);
}

TEST_F(RequestQueue, AClientOfTwiceTheWeightGetsTwiceTheTokens) {
  auto const tokens = served({{alice, 2}, {bob, 1}}, 5000);
  EXPECT_NEAR(tokens.at(alice) / tokens.at(bob), 2, 0.1);
}

TEST_F(RequestQueue, ManyClientsShareByTheirWeights) {
  auto const tokens = served({{1, 1}, {2, 0.5}, {3, 4}, {4, 1}, {5, 2}}, 20'000);
  double const unit = tokens.at(1);
  EXPECT_NEAR(tokens.at(2) / unit, 0.5, 0.025);
  EXPECT_NEAR(tokens.at(3) / unit, 4, 0.2);
  EXPECT_NEAR(tokens.at(4) / unit, 1, 0.05);
  EXPECT_NEAR(tokens.at(5) / unit, 2, 0.1);
}

TEST_F(RequestQueue, TokensAreSharedNotRequests) {
  for (int i = 0; i < 200; ++i) push(alice, 1000);
  for (int i = 0; i < 2000; ++i) push(bob, 100);
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 1100; ++i) ++count[place(go()).client];
  EXPECT_NEAR(count[alice], 100, 1);
  EXPECT_NEAR(count[bob], 1000, 10);
}

TEST_F(RequestQueue, WhoComesLateIsNotServedForItsAbsence) {
  push(bob, 100);
  EXPECT_NE(go(), 0U);  // it was here once
  for (int i = 0; i < 3000; ++i) push(alice, 100);
  for (int i = 0; i < 1000; ++i) go();
  for (int i = 0; i < 1000; ++i) push(bob, 100);
  for (int i = 0; i < 1000; ++i) push(carol, 100);  // she was not
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 300; ++i) ++count[place(go()).client];
  EXPECT_NEAR(count[alice], 100, 1);
  EXPECT_NEAR(count[bob], 100, 1);
  EXPECT_NEAR(count[carol], 100, 1);
}

TEST_F(RequestQueue, WhoUsesWhatNobodyElseWantsDoesNotPayForItLater) {
  for (int i = 0; i < 3000; ++i) push(alice, 100);
  for (int i = 0; i < 1000; ++i) go();
  for (int i = 0; i < 1000; ++i) push(bob, 100);
  // Not one after the other: alice goes on at once.
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 10; ++i) ++count[place(go()).client];
  EXPECT_NEAR(count[alice], 5, 1);
}

TEST_F(RequestQueue, ALightClientWaitsForAboutOneTicketOfAHeavyOne) {
  for (int i = 0; i < 1000; ++i) push(alice, 10'000);
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 7; ++k) EXPECT_EQ(place(go()).client, alice);
    auto const light = push(bob, 100);
    int before = 0;
    while (go() != light) ++before;
    EXPECT_LE(before, 1);
  }
}

TEST_F(RequestQueue, ARefusedTicketIsNextUnderItsOldPlace) {
  for (int i = 0; i < 10; ++i) push(alice, 100);
  for (int i = 0; i < 10; ++i) push(bob, 100);
  for (int i = 0; i < 4; ++i) go();
  auto const unlucky = go();
  auto const others = ids{go(), go()};
  credit(unlucky, cost(unlucky));
  push_back(unlucky);
  EXPECT_EQ(next(), unlucky);
  // All that went together and was refused goes again in the same order.
  for (auto const id : others) credit(id, cost(id));
  for (auto const id : others) push_back(id);
  EXPECT_EQ(go(), unlucky);
  EXPECT_EQ(go(), others[0]);
  EXPECT_EQ(go(), others[1]);
}

TEST_F(RequestQueue, TheOnlyTicketOfAClientIsNextAgainToo) {
  auto const only = push(bob, 100);
  for (int i = 0; i < 10; ++i) push(alice, 100);
  EXPECT_EQ(go(), only);
  for (int i = 0; i < 5; ++i) go();
  push(carol, 100);
  credit(only, 100);
  push_back(only);
  EXPECT_EQ(next(), only);
}

TEST_F(RequestQueue, WhatLeavesTheMiddleLeavesSharesAlone) {
  ids of_alice;
  for (int i = 0; i < 1000; ++i) of_alice.push_back(push(alice, 100));
  for (int i = 0; i < 1000; ++i) push(bob, 100);
  for (std::size_t i = 0; i < of_alice.size(); i += 2) erase(of_alice[i]);
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 400; ++i) ++count[place(go()).client];
  EXPECT_NEAR(count[alice], 200, 1);
  EXPECT_EQ(queue.size(), 1100U);
  EXPECT_DOUBLE_EQ(queue.cost(), 110'000);
}

TEST_F(RequestQueue, WhoCancelsTheHeadPaysNothingForIt) {
  auto const dear = push(alice, 1e6);
  auto const cheap = push(alice, 100);
  push(bob, 100);
  erase(dear);
  EXPECT_EQ(next(), cheap);
}

TEST_F(RequestQueue, CreditMakesUpForAMisjudgedCost) {
  // Alice's tickets are taken for 1000 tokens and use 100 of them.
  for (int i = 0; i < 3000; ++i) push(alice, 1000);
  for (int i = 0; i < 3000; ++i) push(bob, 100);
  std::map<std::uint64_t, double> used;
  for (int i = 0; i < 2000; ++i) {
    auto const id = go();
    used[place(id).client] += 100;
    if (place(id).client == alice) credit(id, 900);
  }
  EXPECT_NEAR(used[alice] / used[bob], 1, 0.05);
}

TEST_F(RequestQueue, ADebtIsPaidToo) {
  for (int i = 0; i < 3000; ++i) push(alice, 100);
  for (int i = 0; i < 3000; ++i) push(bob, 100);
  std::map<std::uint64_t, double> used;
  for (int i = 0; i < 2000; ++i) {
    auto const id = go();
    used[place(id).client] += place(id).client == alice ? 300 : 100;
    if (place(id).client == alice) credit(id, -200);
  }
  EXPECT_NEAR(used[alice] / used[bob], 1, 0.05);
}

TEST_F(RequestQueue, AnAbsurdCostTurnsNoClassIntoFirstComeFirstServed) {
  auto const absurd = push(alice, 1e19);
  go();
  push(alice, 1e19);
  go();  // the class's time is where the first one has put it
  credit(absurd, 1e19);
  for (int i = 0; i < 50; ++i) push(bob, 500);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(place(go()).client, bob);
  auto const light = push(carol, 500);
  int before = 0;
  while (go() != light) ++before;
  EXPECT_LE(before, 1);
}

TEST_F(RequestQueue, WhatATicketIsExpectedToUseIsChargedAndTheRestAtItsEnd) {
  auto const first = push(alice, 1000);
  EXPECT_EQ(queue.release(place(first), start), 1000) << "nothing is known";
  queue.observe_use(place(first), 1000, 100);
  auto const second = push(alice, 5000);
  EXPECT_NEAR(queue.release(place(second), start), 500, 1);
  auto const of_a_new_one = push(bob, 500);
  EXPECT_NEAR(queue.release(place(of_a_new_one), start), 50, 1) << "as others";
  auto const large = push(carol, 50'000);
  EXPECT_NEAR(queue.release(place(large), start), 100, 1) << "no more than anyone has used";
}

TEST_F(RequestQueue, ALateCreditPutsAClientBehindOthersByOneOfItsRequests) {
  auto const dear = push(alice, 100'000);
  go();
  queue.observe_use(place(dear), 100'000, 300);
  push(alice, 1000);
  for (int i = 0; i < 1000; ++i) push(bob, 100);
  for (int i = 0; i < 500; ++i) go();
  for (int i = 0; i < 1000; ++i) push(alice, 1e5);
  credit(dear, 99'700);
  int in_a_row = 0;
  while (place(go()).client == alice) ++in_a_row;
  EXPECT_LE(in_a_row, 2);
}

TEST_F(RequestQueue, WhoPassesOthersDoesNotTakeTheirTimeAlong) {
  for (int i = 0; i < 100; ++i) push(alice, 1000);
  ids small;
  for (int i = 0; i < 300; ++i) small.push_back(push(bob, 100));
  for (int i = 0; i < 100; ++i) queue.release(place(small[static_cast<std::size_t>(i)]), start);
  credit(small[0], 10);
  credit(1, 0);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(place(go()).client, alice);
}

TEST_F(RequestQueue, CreditOfAnUnknownClientIsIgnored) {
  auto const id = push(alice, 100);
  queue.credit({.arrival = 77, .client = 99, .submitted = start}, 1e9);
  EXPECT_EQ(go(), id);
}

TEST_F(RequestQueue, WhatIsAheadOfASingleClientsTicketIsExact) {
  double tokens = 0;
  for (int i = 0; i < 50; ++i) {
    auto const id = push(alice, 100 + 7 * i);
    EXPECT_DOUBLE_EQ(ahead_of(id).requests, i);
    EXPECT_DOUBLE_EQ(ahead_of(id).tokens, tokens);
    tokens += 100 + 7 * i;
  }
  go();
  EXPECT_DOUBLE_EQ(ahead_of(11).requests, 9);  // in the middle
}

TEST_F(RequestQueue, MoreUrgentClassesAreAheadWhole) {
  for (int i = 0; i < 5; ++i) push(alice, 100, {.urgency = 1});
  push(alice, 100, {.urgency = 6});
  auto const id = push(bob, 100);
  EXPECT_DOUBLE_EQ(ahead_of(id).requests, 5);
  EXPECT_DOUBLE_EQ(ahead_of(id).tokens, 500);
}

TEST_F(RequestQueue, OfAnEqualClientAsMuchIsAheadAsOfOnesOwn) {
  for (int i = 0; i < 100; ++i) push(alice, 100);
  for (int i = 0; i < 50; ++i) {
    auto const id = push(bob, 100);
    EXPECT_NEAR(ahead_of(id).requests, 2 * i, 1.01);
    EXPECT_NEAR(ahead_of(id).tokens, 200 * i, 101);
  }
}

TEST_F(RequestQueue, WhatIsAheadIsAboutWhatTheOrderSays) {
  std::mt19937 random(5);
  std::uniform_int_distribution<int> any(0, 9);
  for (int i = 0; i < 400; ++i)
    push(static_cast<std::uint64_t>(any(random) + 1), 100,
         {.weight = 1, .urgency = static_cast<std::uint8_t>(any(random) % 3)});
  for (int i = 0; i < 57; ++i) go();
  auto const order = queue.order(1000, start, 0s);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_NEAR(ahead_of(order[i]).requests, static_cast<double>(i), 10);
}

TEST_F(RequestQueue, OrderIsTheSequenceOfReleases) {
  std::mt19937 random(9);
  std::uniform_int_distribution<int> any(0, 99);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 200; ++i) {
      push(static_cast<std::uint64_t>(any(random) % 7), 1 + any(random),
           {.weight = 0.5 + any(random) % 4, .urgency = static_cast<std::uint8_t>(any(random) % 8)});
      if (any(random) < 30) go(start, 0s);
    }
    auto const foretold = queue.order(100'000, start, 0s);
    EXPECT_EQ(foretold.size(), queue.size());
    auto const first = queue.order(10, start, 0s);
    EXPECT_EQ(first, ids(foretold.begin(), foretold.begin() + 10));
    for (std::size_t i = 0; i < foretold.size(); ++i)
      ASSERT_EQ(go(start, 0s), foretold[i]) << "round " << round << " at " << i;
  }
}

TEST_F(RequestQueue, ANewPriceCountsFromThenOn) {
  for (int i = 0; i < 10; ++i) push(alice, 100);
  for (int i = 0; i < 10; ++i) push(bob, 100);
  queue.reprice([&](ticket_id id) { return place(id).client == alice ? 300.0 : 100.0; });
  EXPECT_DOUBLE_EQ(queue.cost(), 4000);
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 12; ++i) ++count[place(go()).client];
  EXPECT_NEAR(count[bob], 9, 1);
  go_all();
  EXPECT_EQ(queue.cost(), 0);
}

/// Memory stays bounded: what a client has had is forgotten when enough others have come and gone.
TEST_F(RequestQueue, IdleClientsAreForgotten) {
  auto const had_much = push(alice, 1e9);
  go();
  for (std::uint64_t i = 0; i < 500; ++i) {
    queue_place const other{.arrival = 10'000 + i, .client = 10'000 + i, .submitted = start};
    queue.push(other, other.arrival, 100);
    queue.release(other, start);
  }
  auto const again = push(alice, 100);
  auto const bobs = push(bob, 100);
  EXPECT_EQ(go_all(), (ids{bobs, again}));  // still remembered
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    queue_place const other{.arrival = 20'000 + i, .client = 20'000 + i, .submitted = start};
    queue.push(other, other.arrival, 100);
    queue.release(other, start);
  }
  credit(had_much, 100);  // of nobody
  auto const as_if_new = push(alice, 100);
  auto const carols = push(carol, 100);
  EXPECT_EQ(go_all(), (ids{as_if_new, carols}));
}

TEST_F(RequestQueue, ClientsThatWaitAreNotForgotten) {
  ids waiting;
  for (std::uint64_t i = 0; i < 3000; ++i) waiting.push_back(push(100 + i, 100));
  for (std::uint64_t i = 0; i < 3000; ++i) erase(push(100'000 + i, 100));
  EXPECT_EQ(go_all(), waiting);
}

TEST_F(RequestQueue, NoWeightBreaksTheOrder) {
  double const odd[] = {0,
                        -1,
                        -1e308,
                        1e308,
                        5e-324,
                        std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::infinity(),
                        -std::numeric_limits<double>::infinity()};
  std::size_t pushed = 0;
  for (int i = 0; i < 5; ++i) {
    std::uint64_t client = 100;
    for (double const weight : odd) {
      push(client++, 1000, {.weight = weight});
      push(alice, 1000);
      pushed += 2;
    }
  }
  for (ticket_id id = 1; id <= pushed; ++id) {
    EXPECT_TRUE(std::isfinite(ahead_of(id).tokens));
    EXPECT_TRUE(std::isfinite(ahead_of(id).requests));
  }
  auto const foretold = queue.order(1000, start, 30s);
  ids went;
  while (auto const id = go()) {
    credit(id, 10);
    went.push_back(id);
  }
  EXPECT_EQ(went.size(), pushed);
  EXPECT_EQ(foretold.size(), pushed);
  EXPECT_TRUE(queue.empty());
  // And afterwards clients still get what is theirs.
  auto const tokens = served({{1, 1}, {2, 1}}, 2000);
  EXPECT_NEAR(tokens.at(1) / tokens.at(2), 1, 0.05);
}

TEST_F(RequestQueue, AWeightBelowTheLeastStillGoes) {
  auto const tokens = served({{alice, 1}, {bob, 0}}, 20'000);
  EXPECT_GT(tokens.at(bob), 0);
  EXPECT_LT(tokens.at(bob) / tokens.at(alice), 0.01);
}

}  // namespace
}  // namespace cooldown
