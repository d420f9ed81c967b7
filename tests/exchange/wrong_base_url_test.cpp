// What a 404 says of the client's base URL, and what becomes of an exchange that gets one.
#include "cooldown/exchange/wrong_base_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cooldown/exchange/exchange_plan.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using step = exchange_step::what;

constexpr time_point start{1000h};
constexpr const char* leave_out = "leave /v1 out of the client's base URL";
constexpr const char* add = "add /v1 to the client's base URL";

struct example {
  std::string_view path;
  bool metered;
  bool serves_without_v1;
  const char* says;  // null: nothing
};

constexpr example examples[] = {
    {"/v1/v1/chat/completions", true, false, leave_out},
    {"/v1/v1/chat/completions", true, true, leave_out},
    {"/v1/v1/models", false, false, leave_out},
    {"/v1/v1", false, false, nullptr},
    {"/chat/completions", true, false, add},
    {"/v1chat/completions", true, false, add},
    {"/chat/completions", true, true, nullptr},
    {"/v1/chat/completions", true, false, nullptr},
    {"/models", false, false, nullptr},
};

/// What becomes of an attempt that is answered so.
exchange_step after(const example& e, unsigned status) {
  exchange_plan plan({.metered = e.metered,
                      .method = e.metered ? "POST" : "GET",
                      .path = e.path,
                      .retries = 2,
                      .breaker_enabled = true,
                      .wait_until = start + 1min});
  if (plan.begin(true, 0s, start).next == step::submit) plan.released(start);
  plan.allowed(false, start);
  return plan.ended(
      {.kind = attempt_end::what::answered, .status = status, .sent = true, .serves_without_v1 = e.serves_without_v1},
      start + 1s);
}

TEST(WrongBaseUrl, Is404ForAPathWithoutV1OrWithItTwice) {
  for (auto const& e : examples) {
    auto const said = std::string(wrong_base_url(e.path, e.metered, e.serves_without_v1));
    EXPECT_THAT(said, e.says ? HasSubstr(e.says) : ::testing::Matcher<std::string>("")) << e.path;
  }
}

TEST(WrongBaseUrl, IsToldInPlaceOfTheProvidersAnswerAndCostsNothing) {
  for (auto const& e : examples) {
    auto const next = after(e, 404);
    EXPECT_EQ(next.verdict, verdict_on_provider::well);
    ASSERT_EQ(next.next, e.says ? step::reject : step::relay) << e.path;
    if (!e.says) continue;
    EXPECT_EQ(next.why, reason::not_found);
    EXPECT_THAT(std::string(next.explanation), HasSubstr(e.says));
    EXPECT_TRUE(next.uncharged);
    EXPECT_FALSE(next.unsent);
    EXPECT_EQ(next.retry_after, std::nullopt);
  }
}

TEST(WrongBaseUrl, IsNoQuestionOfAnyOtherAnswer) {
  for (auto const status : {200U, 400U, 403U, 405U, 500U})
    for (auto const& e : examples) EXPECT_EQ(after(e, status).next, step::relay) << e.path << ' ' << status;
}

TEST(WrongBaseUrl, AProviderThatServesWithoutV1IsKnownByAnAnswer) {
  EXPECT_TRUE(shows_service_without_v1("/chat/completions", true, 200));
  EXPECT_TRUE(shows_service_without_v1("/chat/completions", true, 299));
  EXPECT_FALSE(shows_service_without_v1("/chat/completions", true, 199));
  EXPECT_FALSE(shows_service_without_v1("/chat/completions", true, 300));
  EXPECT_FALSE(shows_service_without_v1("/chat/completions", false, 200));
  EXPECT_FALSE(shows_service_without_v1("/v1/chat/completions", true, 200));
}

}  // namespace
}  // namespace cooldown
