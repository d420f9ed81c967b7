#include "cooldown/exchange/outcome.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace cooldown {
namespace {

TEST(Outcome, EveryReasonHasARowOfItsOwn) {
  std::set<std::string> codes;
  for (int i = 0; i <= static_cast<int>(reason::internal_error); ++i) {
    auto const& text = text_of(static_cast<reason>(i));
    EXPECT_EQ(static_cast<int>(text.why), i);
    EXPECT_GE(text.status, 400U);
    EXPECT_LT(text.status, 600U);
    EXPECT_TRUE(codes.insert(text.code).second) << text.code;
    EXPECT_EQ(std::string(text.message).back(), '.');
  }
}

TEST(Outcome, TheContractsCodes) {
  EXPECT_STREQ(text_of(reason::queue_full).code, "queue_full");
  EXPECT_EQ(text_of(reason::queue_full).status, 503U);
  EXPECT_STREQ(text_of(reason::queue_timeout).code, "queue_timeout");
  EXPECT_EQ(text_of(reason::queue_timeout).status, 429U);
  EXPECT_EQ(text_of(reason::request_too_large_for_limit).status, 413U);
  EXPECT_FALSE(text_of(reason::request_too_large_for_limit).retry_helps);
  EXPECT_EQ(text_of(reason::upstream_timeout).status, 504U);
  EXPECT_EQ(text_of(reason::draining).status, 503U);
  EXPECT_EQ(text_of(reason::loop_detected).status, 508U);
}

}  // namespace
}  // namespace cooldown
