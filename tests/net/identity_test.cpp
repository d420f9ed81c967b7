// Keys without a configured name have short, stable names.
#include "cooldown/net/identity.hpp"

#include <gtest/gtest.h>

using cooldown::net::identity;

TEST(Identity, TheSameKeyHasTheSameShortName) {
  identity const one;
  auto const name = one.short_hash("csk-1234");
  EXPECT_EQ(name.size(), 6U);
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(one.short_hash("csk-1234"), name);
  EXPECT_NE(one.short_hash("csk-1235"), name);
}
