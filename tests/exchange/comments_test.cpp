// When a client that waits for an event stream gets its first comment.
#include "cooldown/exchange/comments.hpp"

#include <gtest/gtest.h>

using namespace cooldown;
using namespace std::chrono_literals;

TEST(Comments, ComeBeforeTheTimeoutsThatClientsDoNotTell) {
  EXPECT_EQ(first_comment_by(std::nullopt), 100s);
  EXPECT_EQ(first_comment_by(600s), 100s) << "what stands between may be less patient than the client";
}

TEST(Comments, ComeInTimeBeforeATimeoutThatTheClientTells) {
  EXPECT_EQ(first_comment_by(60s), 45s);
  EXPECT_EQ(first_comment_by(20s), 15s);
}

TEST(Comments, DoNotComeWhereTheyCouldNotOutlastTheTimeout) {
  EXPECT_EQ(first_comment_by(15s), std::nullopt);
  EXPECT_EQ(first_comment_by(1s), std::nullopt);
  EXPECT_FALSE(keep_patient(1s, 15s)) << "the second one would come too late";
  EXPECT_FALSE(keep_patient(20s, 20s));
  EXPECT_TRUE(keep_patient(1s, 16s));
}
