#include "cooldown/text/sip_hash.hpp"

#include <string>

#include <gtest/gtest.h>

using cooldown::sip_hash;
using cooldown::sip_key;
using cooldown::sip_key_of;

namespace {

/// The key and the texts of the authors' test vectors: the bytes 0, 1, 2, …
constexpr sip_key key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::string counted(std::size_t n) {
  std::string text;
  while (text.size() < n) text += static_cast<char>(text.size());
  return text;
}

}  // namespace

TEST(SipHash, IsWhatItsAuthorsSay) {
  EXPECT_EQ(sip_hash(key, ""), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(sip_hash(key, counted(1)), 0x74f839c593dc67fdU);
  EXPECT_EQ(sip_hash(key, counted(2)), 0x0d6c8009d9a94f5aU);
  EXPECT_EQ(sip_hash(key, counted(8)), 0x93f5f5799a932462U);
  EXPECT_EQ(sip_hash(key, counted(15)), 0xa129ca6149be45e5U);
}

TEST(SipHash, TakesAKeyAsBytes) {
  EXPECT_EQ(sip_key_of(counted(16)), key);
  EXPECT_EQ(sip_key_of(counted(8)), (sip_key{key[0], 0}));
  EXPECT_EQ(sip_key_of(""), sip_key{});
}

TEST(SipHash, DependsOnItsKey) {
  EXPECT_NE(sip_hash(key, "text"), sip_hash({key[0], key[1] + 1}, "text"));
}
