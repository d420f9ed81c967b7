// Paths that a lenient server might resolve to somewhere else.
#include "cooldown/text/dot_segments.hpp"

#include <gtest/gtest.h>

using cooldown::may_climb;

TEST(DotSegments, EverySpellingOfTwoDotsIsSeen) {
  for (std::string const path : {"/..",
                                 "/../admin",
                                 "/v1/..",
                                 "/v1/../../admin",
                                 "/.//..//admin",
                                 "/%2e%2e/admin",
                                 "/%2E./admin",
                                 "/.%2e/admin",
                                 "/..%2fadmin",
                                 "/..%2Fadmin",
                                 "/v1%2f..",
                                 "/v1%2f%2e%2E%2Fadmin",
                                 "/\\..\\admin",
                                 "/..\\admin",
                                 "/..%5cadmin",
                                 "/%5C..",
                                 "/..;/admin",
                                 "/..;a=b/admin",
                                 "/..%3b/admin",
                                 "/%2e%2e%3Ba=b/admin",
                                 "/..%00/admin",
                                 "/..%20/admin",
                                 "/..%3f",
                                 "/..%23",
                                 "/.%09./admin",
                                 "/.%0d%0a./admin",
                                 "/%252e%252e/admin",
                                 "/%252E./admin",
                                 "/..%252fadmin",
                                 "/%25252e%25252e/admin",
                                 "/%%32%65./admin",
                                 "/%2%65%2%65/admin",
                                 "/%c0%ae%c0%ae/admin",
                                 "/..%C0%AFadmin",
                                 "/..%c1%9cadmin",
                                 "..",
                                 "a/.."})
    EXPECT_TRUE(may_climb(path)) << path;
}

TEST(DotSegments, OtherPathsAreLeftAlone) {
  for (std::string const path : {"",
                                 "/",
                                 "*",
                                 "/v1/models",
                                 "/v1/./models",
                                 "/.",
                                 "/...",
                                 "/..a/b",
                                 "/a../b",
                                 "/a..b",
                                 "/.well-known",
                                 "/v1//models",
                                 "/v1/files/report..2024.json",
                                 "/v1/models/org%2Fname",
                                 "/v1/models/a%20b",
                                 "/%25",
                                 "/100%",
                                 "/%zz",
                                 "/%2",
                                 "/v1/models/%E4%B8%AD%E6%96%87",
                                 "/v1/models/caf%C3%A9",
                                 "/a;b=../c",
                                 "/@evil.example/",
                                 "/a%2525"})
    EXPECT_FALSE(may_climb(path)) << path;
}

TEST(DotSegments, EndlessEncodingIsTakenForTheWorst) {
  std::string path = "/%";
  for (int i = 0; i < 1000; ++i) path += "25";
  EXPECT_TRUE(may_climb(path + "2e"));
}
