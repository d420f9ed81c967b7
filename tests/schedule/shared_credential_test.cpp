// Clients of one group, such as the users of one credential, have one share between them.
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/request_queue.hpp"

using namespace cooldown;
using namespace std::chrono_literals;

namespace {

constexpr time_point now{std::chrono::hours{1000}};

/// Tickets that cost the same, of which one goes at a time.
struct SharedCredential : ::testing::Test {
  request_queue queue;
  std::map<ticket_id, queue_place> places;
  ticket_id next = 1;

  void push(std::uint64_t client, std::uint64_t group) {
    queue_place const place{
        .arrival = next, .client = client, .group = group, .weight = 1, .urgency = 3, .submitted = now};
    queue.push(place, next, 100);
    places[next++] = place;
  }
  /// Whose it was.
  queue_place release() {
    std::vector<request_queue::head> first;
    queue.heads(now, 0s, 1, first);
    auto const id = first.front().id;
    queue.release(places.at(id), now);
    return places.at(id);
  }
  /// Of the next so many releases, by group.
  std::map<std::uint64_t, int> groups_of(int n) {
    std::map<std::uint64_t, int> out;
    for (int i = 0; i < n; ++i) ++out[release().group];
    return out;
  }
};

}  // namespace

TEST_F(SharedCredential, ANewNameForEachRequestGainsNothing) {
  for (std::uint64_t i = 0; i < 20; ++i) push(100 + i, 1);
  for (int i = 0; i < 20; ++i) push(2, 2);
  auto const got = groups_of(20);
  EXPECT_NEAR(got.at(2), 10, 1);
}

TEST_F(SharedCredential, NorDoesOneAtATime) {
  for (int i = 0; i < 30; ++i) push(2, 2);
  std::uint64_t name = 100;
  push(name++, 1);
  int others = 0;
  for (int i = 0; i < 20; ++i) {
    if (release().group == 2) {
      ++others;
    } else {
      push(name++, 1);
    }
  }
  EXPECT_NEAR(others, 10, 1);
}

TEST_F(SharedCredential, ItsUsersShareEvenly) {
  for (int i = 0; i < 40; ++i) {
    push(11, 1);
    push(12, 1);
    push(2, 2);
  }
  std::map<std::uint64_t, int> got;
  for (int i = 0; i < 40; ++i) ++got[release().client];
  EXPECT_NEAR(got[2], 20, 2);
  EXPECT_NEAR(got[11], 10, 2);
  EXPECT_NEAR(got[12], 10, 2);
}

TEST_F(SharedCredential, AUserThatJoinsABusyOneDoesNotWaitForAllOfIt) {
  for (int i = 0; i < 40; ++i) push(11, 1);
  push(12, 1);
  int before = 0;
  while (release().client != 12) ++before;
  EXPECT_LE(before, 2);
}

TEST_F(SharedCredential, AloneItHasEverything) {
  for (std::uint64_t i = 0; i < 3'000; ++i) push(100 + i, 1);
  EXPECT_EQ(groups_of(3'000).at(1), 3'000);
  EXPECT_TRUE(queue.empty());
}
