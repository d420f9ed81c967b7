#include "cooldown/sim/limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cooldown::sim {
namespace {

TEST(parse_model_spec, reads_every_limit) {
  std::string error;
  const auto spec = parse_model_spec("m-1.5,rps=1,rpm=2,rph=3,rpd=4,tpm=5,tph=6,tpd=7,total=2.5", error);
  ASSERT_TRUE(spec) << error;
  EXPECT_EQ(spec->name, "m-1.5");
  EXPECT_EQ(spec->limits.rps, 1);
  EXPECT_EQ(spec->limits.rpm, 2);
  EXPECT_EQ(spec->limits.rph, 3);
  EXPECT_EQ(spec->limits.rpd, 4);
  EXPECT_EQ(spec->limits.tpm, 5);
  EXPECT_EQ(spec->limits.tph, 6);
  EXPECT_EQ(spec->limits.tpd, 7);
  EXPECT_EQ(spec->limits.total_factor, 2.5);
}

TEST(parse_model_spec, takes_a_name_alone_as_a_model_without_limits) {
  std::string error;
  const auto spec = parse_model_spec("free", error);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->limits.tpm, 0);
}

TEST(parse_model_spec, names_what_is_wrong) {
  for (const auto* text :
       {"m,tpm", "m,tpm=", "m,tpm=-1", "m,tpm=5k", "m,tpx=5", "m,", "m,tpm=9999999999999", "m,total=x"}) {
    std::string error;
    EXPECT_FALSE(parse_model_spec(text, error)) << text;
    EXPECT_THAT(error, testing::HasSubstr("model m")) << text;
  }
  std::string error;
  EXPECT_FALSE(parse_model_spec(",tpm=1", error));
  EXPECT_THAT(error, testing::HasSubstr("needs a name"));
}

}  // namespace
}  // namespace cooldown::sim
