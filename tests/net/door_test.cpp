// Which clients are let in or closed at the maximum number of connections.
#include "cooldown/net/door.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "socket_pair.hpp"

using namespace cooldown::net;
using namespace cooldown::testing;

namespace {

struct Door : ::testing::Test {
  asio::io_context io{1};
  door at;
  std::vector<far_end> others;

  void come(network_id from, std::size_t times = 1) {
    for (; times > 0; --times) {
      socket_pair pair(io);
      at.come({std::move(pair.near), from});
      others.push_back(std::move(pair.far));
    }
  }
  bool turned_away(std::size_t i) {
    others[i].read();
    return others[i].ended;
  }
};

}  // namespace

TEST_F(Door, WhoeverHasFewestPlacesIsNext) {
  places_by_network const taken{{1, 5}, {2, 3}};
  come(1);
  EXPECT_EQ(at.next(taken), 1U);
  come(2);
  EXPECT_EQ(at.next(taken), 2U);
  come(3);
  EXPECT_EQ(at.next(taken), 3U);
  for (network_id const next : {3U, 2U, 1U}) {
    EXPECT_EQ(at.next(taken), next);
    at.let_in(next);
  }
  EXPECT_TRUE(at.empty());
}

TEST_F(Door, AmongEqualsWhoeverCameFirstIsNext) {
  come(7);
  come(8);
  come(7);
  auto const first = at.let_in(at.next({}));
  others[0].send("x");
  EXPECT_EQ(first.available(), 1U);
}

TEST_F(Door, ACrowdTurnsItsOwnAway) {
  come(1, door::room);
  come(2);
  come(1);
  for (std::size_t i = 0; i < door::room - 1; ++i) EXPECT_FALSE(turned_away(i)) << i;
  EXPECT_TRUE(turned_away(door::room - 1));
  EXPECT_FALSE(turned_away(door::room)) << "the stranger's";
  EXPECT_TRUE(turned_away(door::room + 1));
}

TEST(Network, IsAnAddressOrASixtyFourth) {
  auto const of = [](const char* text) { return network_of(asio::ip::make_address(text)); };
  EXPECT_EQ(of("192.0.2.1"), of("::ffff:192.0.2.1"));
  EXPECT_NE(of("192.0.2.1"), of("192.0.2.2"));
  EXPECT_EQ(of("2001:db8::1"), of("2001:db8::ffff:0:0:2"));
  EXPECT_NE(of("2001:db8::1"), of("2001:db8:0:1::1"));
}
