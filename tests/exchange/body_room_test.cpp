// No client can take all the memory for bodies.
#include "cooldown/exchange/body_room.hpp"

#include <gtest/gtest.h>

namespace cooldown {
namespace {

using answer = body_room::answer;

constexpr std::size_t KiB = 1024;
constexpr std::size_t MiB = 1024 * KiB;
constexpr body_room::bounds usual{256 * MiB, 32 * MiB};

/// A client on a network of its own.
body_room::owner alone(std::uint64_t client) {
  return {client, client};
}

/// Reads a body in pieces, as the edge does, until it is whole or refused; what came of it.
std::size_t upload(body_room& room, const body_room::owner& of, std::size_t size, answer& last,
                   const body_room::bounds& b = usual) {
  std::size_t here = 0;
  last = answer::taken;
  while (here < size && last == answer::taken) {
    auto const n = std::min<std::size_t>(16 * KiB, size - here);
    last = room.take(of, here, n, b);
    if (last == answer::taken) here += n;
  }
  return here;
}

TEST(BodyRoom, OneClientLeavesAQuarterToOthers) {
  body_room room;
  answer last{};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(upload(room, alone(1), 32 * MiB, last), 32 * MiB);
  for (int i = 0; i < 4; ++i) {
    auto const part = upload(room, alone(1), 32 * MiB, last);
    EXPECT_EQ(last, answer::share_used_up);
    EXPECT_LT(part, 32 * MiB);
    room.give_back(alone(1), part);
  }
  EXPECT_EQ(room.total(), 192 * MiB);
  EXPECT_EQ(upload(room, alone(2), 32 * MiB, last), 32 * MiB) << "another one has room for its largest";
  EXPECT_EQ(upload(room, alone(1), 60 * KiB, last), 60 * KiB) << "and small ones of the first go on";
}

TEST(BodyRoom, ManySmallBodiesOfOneClientLeaveRoomToo) {
  body_room room;
  answer last{};
  std::size_t held = 0;
  do held += upload(room, alone(1), 64 * KiB, last);
  while (last == answer::taken);
  EXPECT_EQ(last, answer::share_used_up);
  EXPECT_LE(held, 224 * MiB);
  EXPECT_EQ(upload(room, alone(2), 10 * MiB, last), 10 * MiB);
  EXPECT_EQ(upload(room, alone(3), 64 * KiB, last), 64 * KiB);
}

TEST(BodyRoom, ManyClientsOfOneNetworkLeaveRoomToOthers) {
  for (std::size_t const size : {32 * MiB, 64 * KiB}) {
    body_room room;
    answer last{};
    std::size_t held = 0;
    for (std::uint64_t key = 1; key <= 4000; ++key) {
      body_room::owner const stranger{.client = key, .network = 7};
      auto const part = upload(room, stranger, size, last);
      if (last == answer::taken) held += part;
      if (last != answer::taken) room.give_back(stranger, part);
    }
    EXPECT_EQ(last, answer::share_used_up);
    EXPECT_LE(held, size > 64 * KiB ? 224 * MiB : 240 * MiB);
    EXPECT_EQ(upload(room, {.client = 9000, .network = 8}, 64 * KiB, last), 64 * KiB);
    if (size > 64 * KiB) {
      EXPECT_EQ(upload(room, {.client = 9001, .network = 8}, 15 * MiB, last), 15 * MiB);
    }
  }
}

TEST(BodyRoom, AClientThatHoldsAllItMayLeavesRoomToOthersOfItsNetwork) {
  body_room room;
  answer last{};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(upload(room, {.client = 1, .network = 7}, 32 * MiB, last), 32 * MiB);
  EXPECT_EQ(upload(room, {.client = 2, .network = 7}, 32 * MiB, last), 32 * MiB);
}

TEST(BodyRoom, AClientCountsWhereverItComesFrom) {
  body_room room;
  answer last{};
  for (std::uint64_t network = 1; network <= 6; ++network)
    upload(room, {.client = 1, .network = network}, 32 * MiB, last);
  upload(room, {.client = 1, .network = 9}, 1 * MiB, last);
  EXPECT_EQ(last, answer::share_used_up);
}

TEST(BodyRoom, TheLastSixteenthIsForSmallBodies) {
  body_room room;
  answer last{};
  for (std::uint64_t client = 1; client <= 40; ++client) {
    auto const part = upload(room, alone(client), 32 * MiB, last);
    if (last != answer::taken) room.give_back(alone(client), part);
  }
  EXPECT_EQ(last, answer::full);
  EXPECT_LE(room.total(), 240 * MiB);
  for (std::uint64_t client = 100; client < 200; ++client)
    EXPECT_EQ(upload(room, alone(client), 8 * KiB, last), 8 * KiB);
}

TEST(BodyRoom, OneBodyFitsWhateverTheBounds) {
  for (auto const& b : {body_room::bounds{1 * MiB, 1 * MiB}, body_room::bounds{1 * KiB, 1 * KiB},
                        body_room::bounds{4 * MiB, 3 * MiB}, usual}) {
    body_room room;
    answer last{};
    EXPECT_EQ(upload(room, alone(1), b.largest_body, last, b), b.largest_body) << b.most;
    EXPECT_EQ(last, answer::taken);
  }
}

TEST(BodyRoom, NeverHoldsMoreThanTheMost) {
  body_room room;
  answer last{};
  std::size_t held = 0;
  for (std::uint64_t client = 0; client < 10'000; ++client) held += upload(room, alone(client), 64 * KiB, last);
  EXPECT_EQ(last, answer::full);
  EXPECT_EQ(room.total(), held);
  EXPECT_LE(held, 256 * MiB);
  EXPECT_EQ(room.take(alone(1), 0, ~std::size_t{0}, usual), answer::full) << "no sum overflows";
}

TEST(BodyRoom, SaysOnceThatMuchHasBecomeFree) {
  body_room room;
  answer last{};
  EXPECT_FALSE(room.has_emptied());
  upload(room, alone(1), 32 * MiB, last);
  room.give_back(alone(1), 32 * MiB);
  EXPECT_FALSE(room.has_emptied()) << "the next requests can use it";
  for (std::uint64_t client = 1; client <= 4; ++client) upload(room, alone(client), 32 * MiB, last);
  room.give_back(alone(1), 32 * MiB);
  EXPECT_FALSE(room.has_emptied()) << "most is still in use";
  for (std::uint64_t client = 2; client <= 4; ++client) room.give_back(alone(client), 32 * MiB);
  EXPECT_TRUE(room.has_emptied());
  EXPECT_FALSE(room.has_emptied());
}

TEST(BodyRoom, WhatIsGivenBackIsForgotten) {
  body_room room;
  EXPECT_EQ(room.take(alone(1), 0, 0, usual), answer::taken);
  room.give_back(alone(1), 0);
  EXPECT_EQ(room.clients(), 0U);
  EXPECT_EQ(room.take(alone(1), 0, 100, usual), answer::taken);
  EXPECT_EQ(room.take(alone(2), 0, 50, usual), answer::taken);
  room.give_back(alone(1), 60);
  EXPECT_EQ(room.clients(), 2U);
  room.give_back(alone(1), 40);
  EXPECT_EQ(room.clients(), 1U);
  EXPECT_EQ(room.total(), 50U);
}

}  // namespace
}  // namespace cooldown
