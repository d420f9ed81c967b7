// Timeouts that clients announce.
#include "cooldown/http/patience.hpp"

#include <vector>

#include <gtest/gtest.h>

using namespace cooldown;
using namespace std::chrono_literals;
using http::client_timeout;
using http::wait_preference;

namespace {

using result = std::optional<duration>;

result timeout(std::string_view value, std::string_view name = "X-Stainless-Timeout") {
  std::vector<header_field> const fields{{name, value}};
  return client_timeout(fields);
}

result preference(std::string_view value) {
  std::vector<header_field> const fields{{"Prefer", value}};
  return wait_preference(fields);
}

}  // namespace

TEST(Patience, TimeoutsAreSeconds) {
  EXPECT_EQ(timeout("600"), result(600s));
  EXPECT_EQ(timeout("1.5"), result(1500ms));
  EXPECT_EQ(timeout("600.0", "x-stainless-read-timeout"), result(600s));
  EXPECT_EQ(timeout("0.5", "x-stainless-read-timeout"), result(500ms));
  EXPECT_EQ(timeout("999999999999"), result(std::chrono::hours{24 * 366})) << "no overflow";
}

TEST(Patience, BelowASecondJavaScriptSaysZero) {
  EXPECT_EQ(timeout("0"), result(1s));
  EXPECT_EQ(timeout("0", "x-stainless-read-timeout"), std::nullopt);
}

TEST(Patience, WhatIsNoNumberIsIgnored) {
  for (auto const* value : {"", "-1", "+5", "abc", "5s", "1e3", "nan", "inf", "1.", ".5", "0x5", "5 5", "1,5", "None",
                            "NOT_GIVEN", "1.2.3"})
    EXPECT_EQ(timeout(value), std::nullopt) << value;
  EXPECT_EQ(timeout("5", "X-Stainless-Retry-Count"), std::nullopt);
}

TEST(Patience, TheShorterTimeoutCounts) {
  std::vector<header_field> const fields{
      {"x-stainless-read-timeout", "20"}, {"x-stainless-timeout", "30"}, {"x-stainless-timeout", "x"}};
  EXPECT_EQ(client_timeout(fields), result(20s));
  EXPECT_EQ(client_timeout({}), std::nullopt);
}

TEST(Patience, PreferWait) {
  EXPECT_EQ(preference("wait=10"), result(10s));
  EXPECT_EQ(preference("respond-async, Wait = \"0\" ; x"), result(0s));
  EXPECT_EQ(preference("wait"), std::nullopt);
  EXPECT_EQ(preference("wait=-1"), std::nullopt);
  EXPECT_EQ(preference("waiting=1"), std::nullopt);
}
