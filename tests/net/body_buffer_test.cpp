#include <gtest/gtest.h>

#include "cooldown/net/request.hpp"

using cooldown::net::body_buffer;

namespace {

/// How often the bytes move to another place while `total` bytes are appended in pieces.
std::size_t moves(std::size_t total, std::size_t piece) {
  body_buffer b;
  std::string const text(piece, 'x');
  std::size_t n = 0;
  std::size_t capacity = 0;
  while (b.size() < total) {
    b.append(text);
    if (b.capacity() != capacity) ++n;
    capacity = b.capacity();
  }
  return n;
}

}  // namespace

TEST(BodyBuffer, StartsEmpty) {
  body_buffer const b;
  EXPECT_EQ(b.view(), "");
  EXPECT_EQ(b.size(), 0U);
  EXPECT_EQ(b.capacity(), 0U);
}

TEST(BodyBuffer, KeepsWhatIsAppended) {
  body_buffer b;
  std::string expected;
  for (std::size_t i = 0; i < 3000; ++i) {
    std::string const piece(i % 97, static_cast<char>('a' + i % 26));
    b.append(piece);
    expected += piece;
  }
  EXPECT_EQ(b.view(), expected);
  b.clear();
  EXPECT_EQ(b.size(), 0U);
  b.append("again");
  EXPECT_EQ(b.view(), "again");
}

TEST(BodyBuffer, AppendingCostsConstantTimePerByte) {
  // 32 MiB in network-sized pieces: doublings, not thousands of copies.
  EXPECT_LE(moves(32 * 1024 * 1024, 16 * 1024), 13U);
  EXPECT_LE(moves(1024 * 1024, 100), 8U);
}

TEST(BodyBuffer, AKnownLengthTakesNoMoreMemory) {
  body_buffer b;
  b.append("0123456789", 20);
  EXPECT_EQ(b.capacity(), 20 + body_buffer::padding);
  b.append("0123456789", 20);
  EXPECT_EQ(b.capacity(), 20 + body_buffer::padding);
  b.append("beyond it", 20);
  EXPECT_EQ(b.view(), "01234567890123456789beyond it");
}

TEST(BodyBuffer, PromisedLengthGetsNoMemoryInAdvance) {
  body_buffer b;
  auto const [to, room] = b.prepare(std::size_t{1} << 40);
  EXPECT_NE(to, nullptr);
  EXPECT_LE(room, 64U * 1024);
  EXPECT_LE(b.capacity(), 64U * 1024);
}

TEST(BodyBuffer, ExpectedLengthIsNotExceeded) {
  body_buffer b;
  EXPECT_EQ(b.prepare(100).second, 100U);
  b.commit(100);
  EXPECT_GE(b.prepare().second, 1U) << "there is always room for more";
}

TEST(BodyBuffer, HasRoomToReadAheadBehindTheEnd) {
  body_buffer b;
  b.append(std::string(100'000, 'x'));
  EXPECT_GE(b.capacity(), b.size() + body_buffer::padding);
}
