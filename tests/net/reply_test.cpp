// Headers and bodies of the proxy's rejections.
#include "cooldown/net/reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::net;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

namespace {

struct Reply : ::testing::Test {
  observe::stats counts;

  local_reply refusal(reason why, std::optional<duration> after = std::nullopt) {
    refusal_details details;
    details.retry_after = after;
    return refusal_reply(counts, why, details);
  }
};

}  // namespace

TEST_F(Reply, LongWaitsAreToldAsTheyAre) {
  auto const r = refusal(reason::queue_timeout, 26h + 500ms);
  EXPECT_EQ(r.status, 429U);
  EXPECT_THAT(r.fields, HasSubstr("\r\nRetry-After: 93601\r\n"));
  EXPECT_THAT(r.fields, HasSubstr("\r\nretry-after-ms: 93600500\r\n"));
  EXPECT_THAT(r.body, HasSubstr("Try again in 1 day"));
  EXPECT_THAT(r.fields, Not(HasSubstr("x-should-retry"))) << "at that time a repeat helps";
}

TEST_F(Reply, WhatNoRepeatHelpsSaysSo) {
  for (auto const why : {reason::request_too_large_for_limit, reason::bad_request, reason::body_too_large,
                         reason::not_found, reason::upstream_tls_error}) {
    auto const r = refusal(why);
    EXPECT_THAT(r.fields, HasSubstr("x-should-retry: false\r\n")) << text_of(why).code;
    EXPECT_THAT(r.fields, Not(HasSubstr("Retry-After"))) << text_of(why).code;
  }
  for (auto const why : {reason::queue_full, reason::queue_timeout, reason::circuit_open, reason::draining,
                         reason::upstream_unavailable, reason::upstream_timeout})
    EXPECT_THAT(refusal(why, 1s).fields, Not(HasSubstr("x-should-retry"))) << text_of(why).code;
}

TEST_F(Reply, TimesThatHavePassedAreNow) {
  EXPECT_THAT(refusal(reason::circuit_open, -3s).fields, HasSubstr("Retry-After: 0\r\n"));
}
