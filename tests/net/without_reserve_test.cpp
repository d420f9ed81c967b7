// What can be left undone leaves the reserves to what cannot.
#include <new>

#include <gtest/gtest.h>

#include "cooldown/net/memory.hpp"

using cooldown::net::without_reserve;

namespace {

bool asked = false;

void handler() {
  asked = true;
  throw std::bad_alloc();
}

/// As an allocation that fails does.
void fail_to_allocate() {
  auto const now = std::get_new_handler();
  if (now) now();
  throw std::bad_alloc();
}

}  // namespace

TEST(WithoutReserve, AsksNoReserveWithinItsScope) {
  auto const before = std::set_new_handler(handler);
  {
    without_reserve const dispensable;
    EXPECT_THROW(fail_to_allocate(), std::bad_alloc);
    EXPECT_FALSE(asked);
  }
  EXPECT_THROW(fail_to_allocate(), std::bad_alloc);
  EXPECT_TRUE(asked);
  std::set_new_handler(before);
}
