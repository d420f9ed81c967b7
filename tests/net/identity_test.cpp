// Keys without a configured name have short, stable names.
#include "cooldown/net/identity.hpp"

#include <gtest/gtest.h>

using cooldown::net::identity;
using cooldown::net::keyed_hash;

TEST(Identity, TheSameKeyHasTheSameShortName) {
  identity const one;
  auto const name = one.short_hash("csk-1234");
  EXPECT_EQ(name.size(), 6U);
  EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(one.short_hash("csk-1234"), name);
  EXPECT_NE(one.short_hash("csk-1235"), name);
}

TEST(Identity, AKeyedHashDependsOnEveryHalfOfItsKey) {
  std::string key(32, 'k');
  auto const made = keyed_hash(key, "text");
  EXPECT_EQ(made.size(), 32U);
  EXPECT_EQ(keyed_hash(key, "text"), made);
  EXPECT_NE(keyed_hash(key, "texts"), made);
  key.back() = 'x';
  auto const other = keyed_hash(key, "text");
  EXPECT_EQ(other.substr(0, 16), made.substr(0, 16));
  EXPECT_NE(other.substr(16), made.substr(16));
}
