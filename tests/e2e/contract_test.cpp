// The seed's rows 4, 6, 8 and 9, in the binary.
#include <cmath>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/proxy.hpp"

using namespace cooldown::testing;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::MatchesRegex;

namespace {

const values limits_7_and_7000{{"cerebras.rpm_limit", "7"}, {"cerebras.tpm_limit", "7000"}};

/// Every field that row 4 promises; `current` as X-RateLimit-Current-TPM-Limit should be.
void expect_static_fields(const http_response& r, const std::string& rpm, const std::string& tpm,
                          const std::string& current) {
  EXPECT_EQ(r.field("X-RateLimit-Limit-RPM"), rpm) << r.raw_head;
  EXPECT_EQ(r.field("X-RateLimit-Limit-TPM"), tpm) << r.raw_head;
  EXPECT_EQ(r.field("X-RateLimit-Current-TPM-Limit"), current) << r.raw_head;
  EXPECT_THAT(r.field("X-RateLimit-Remaining-TPM"), MatchesRegex("[0-9]+")) << r.raw_head;
  EXPECT_THAT(r.field("X-RateLimit-Queue-Length"), MatchesRegex("[0-9]+")) << r.raw_head;
  EXPECT_THAT(r.field("X-CircuitBreaker-State"), MatchesRegex("CLOSED|OPEN|HALF_OPEN")) << r.raw_head;
  EXPECT_THAT(r.field("X-CircuitBreaker-Failures"), MatchesRegex("[0-9]+")) << r.raw_head;
}

void expect_server_timing(const http_response& r) {
  EXPECT_THAT(r.field("Server-Timing"), MatchesRegex("queue;dur=[0-9]+\\.[0-9], upstream;dur=[0-9]+\\.[0-9]"));
}

}  // namespace

TEST(Row4ResponseHeaders, SuccessCarriesEveryField) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send(ok_response(completion(), token_headers(5000, 4200, "60") + "X-Provider: kept as it is\r\n"));
  });
  proxy p(upstream, limits_7_and_7000);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.body, completion());
  expect_static_fields(r, "7", "7000", "5000");
  EXPECT_THAT(std::stoi(r.field("X-RateLimit-Remaining-TPM")), AllOf(Ge(4000), Le(5000)));
  EXPECT_EQ(r.field("X-RateLimit-Queue-Length"), "0");
  EXPECT_EQ(r.field("X-CircuitBreaker-State"), "CLOSED");
  EXPECT_EQ(r.field("X-CircuitBreaker-Failures"), "0");
  EXPECT_EQ(r.field("X-RateLimit-Delay"), "") << "it did not wait";
  expect_server_timing(r);
  // The provider's own, byte for byte.
  EXPECT_THAT(r.raw_head, HasSubstr("\r\nx-ratelimit-limit-tokens-minute: 5000\r\n"));
  EXPECT_THAT(r.raw_head, HasSubstr("\r\nx-ratelimit-remaining-tokens-minute: 4200\r\n"));
  EXPECT_THAT(r.raw_head, HasSubstr("\r\nx-ratelimit-reset-tokens-minute: 60\r\n"));
  EXPECT_THAT(r.raw_head, HasSubstr("\r\nX-Provider: kept as it is\r\n"));
}

TEST(Row4ResponseHeaders, UpstreamErrorPassesUntouched) {
  std::string const body =
      "{\"message\": \"Wrong API Key\",\n \"type\":\"invalid_request_error\", \"code\":\"wrong_api_key\"}\t";
  for (int const status : {400, 401, 402, 404, 408, 422}) {
    fake_upstream upstream(
        [&](auto const&, tcp_client& c) { return c.send(ok_response(body, "x-should-retry: false\r\n", status)); });
    proxy p(upstream, limits_7_and_7000);
    auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
    EXPECT_EQ(r.status, status);
    EXPECT_EQ(r.body, body);
    EXPECT_EQ(r.field("x-should-retry"), "false");
    EXPECT_EQ(r.field("x-ratelimit-reason"), "") << "not a refusal of ours";
    EXPECT_EQ(upstream.count(), 1U) << "never repeated";
    expect_static_fields(r, "7", "7000", "0");
    expect_server_timing(r);
  }
}

TEST(Row4ResponseHeaders, OwnRefusalsCarryThem) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()),
          {{"cerebras.rpm_limit", "7"}, {"cerebras.tpm_limit", "7000"}, {"cerebras.retries", "0"}});
  auto const unreachable = p.fetch(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(unreachable.status, 503);
  EXPECT_EQ(unreachable.field("X-RateLimit-Reason"), "upstream_unavailable");
  EXPECT_EQ(unreachable.field("X-CircuitBreaker-Failures"), "1");
  expect_static_fields(unreachable, "7", "7000", "0");
  expect_server_timing(unreachable);
  auto const malformed = p.fetch("GET /v1/models HTTP/1.1\r\n\r\n");
  EXPECT_EQ(malformed.status, 400);
  expect_static_fields(malformed, "7", "7000", "0");
}

TEST(Row4ResponseHeaders, UnmeteredAnswersCarryThem) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(r.head.starts_with("POST") ? ok_response(completion(), token_headers(5000, 4000, "60"))
                                             : ok_response("{\"data\":[]}"));
  });
  proxy p(upstream, limits_7_and_7000);
  auto const before = p.fetch(get_request("/v1/models"));
  EXPECT_EQ(before.status, 200);
  expect_static_fields(before, "7", "7000", "0");
  expect_server_timing(before);
  ASSERT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  expect_static_fields(p.fetch(get_request("/v1/models")), "7", "7000", "5000");
}

TEST(Row4ResponseHeaders, DelayAndServerTimingOfOneThatWaited) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response(completion(), token_headers(1000, r.number == 0 ? 0 : 900, "1")));
  });
  proxy p(upstream);
  ASSERT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
  ASSERT_EQ(r.status, 200);
  auto const delay = std::stod(r.field("X-RateLimit-Delay"));
  EXPECT_GE(delay, 0.9);
  EXPECT_LT(delay, 20);
  double queue = 0;
  ASSERT_EQ(std::sscanf(r.field("Server-Timing").c_str(), "queue;dur=%lf", &queue), 1);
  EXPECT_NEAR(queue / 1000, delay, 0.01);
}

TEST(Row4ResponseHeaders, UnparseableUpstreamHeadersFailNothing) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    auto const fields = r.number < 3
                            ? "x-ratelimit-limit-tokens-minute: banana\r\nx-ratelimit-remaining-tokens-minute: "
                              "-3\r\n"
                            : "x-ratelimit-limit-tokens-minute: 100\r\n";
    return c.send(ok_response(completion(), fields));
  });
  proxy p(upstream, limits_7_and_7000);
  for (int i = 0; i < 5; ++i) {
    auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
    EXPECT_EQ(r.status, 200);
    expect_static_fields(r, "7", "7000", "0");
    EXPECT_EQ(r.field("x-ratelimit-limit-tokens-minute"), i < 3 ? "banana" : "100");
  }
  EXPECT_EQ(p.metric("cooldown_header_parsing_failures_total"), 5);
  EXPECT_EQ(p.metric("cooldown_header_parsing_success_total"), 0);
  p.program().signal(SIGTERM);
  EXPECT_EQ(p.program().wait(), 0);
  // One line a kind: an unusable limit, and a limit with neither remaining nor reset.
  EXPECT_EQ(p.program().count_lines("missing required rate limit headers"), 2U) << p.program().output();
}

TEST(Row4ResponseHeaders, OwnFieldsOfTheUpstreamAreReplaced) {
  fake_upstream upstream([](auto const&, tcp_client& c) {
    return c.send(ok_response(completion(), "X-RateLimit-Queue-Length: 99\r\nX-CircuitBreaker-State: FORGED\r\n"));
  });
  proxy p(upstream);
  auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(r.field("X-RateLimit-Queue-Length"), "0");
  EXPECT_EQ(r.field("X-CircuitBreaker-State"), "CLOSED");
  EXPECT_EQ(r.raw_head.find("FORGED"), std::string::npos);
}

TEST(Row6EndToEnd, ThirdRequestWaitsAndGets200) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    if (r.number == 2) return c.send(quota_refusal(token_headers(1000, 0, "5")));
    return c.send(ok_response(completion(), token_headers(1000, r.number == 0 ? 800 : 600, "30")));
  });
  proxy p(upstream);
  for (int i = 0; i < 2; ++i) {
    auto const r = p.fetch(post_request("/v1/chat/completions", chat_body()));
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.field("X-RateLimit-Delay"), "");
  }
  auto const third = p.fetch(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(third.status, 200);
  EXPECT_EQ(third.body, completion());
  EXPECT_GE(std::stod(third.field("X-RateLimit-Delay")), 5.0);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_GE(seen[3].at - seen[2].at, 5s) << "not before the reset";
  EXPECT_LT(seen[3].at - seen[2].at, 20s);
  EXPECT_EQ(p.metric("cooldown_upstream_refusals_total"), 1);
  EXPECT_EQ(p.metric("cooldown_responses_total{status=\"429\"}"), 0);
}

TEST(Row6EndToEnd, ThirdRequestIsNotEvenSentBeforeTheReset) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response(completion(), token_headers(1000,
                                                          r.number == 0   ? 500
                                                          : r.number == 1 ? 0
                                                                          : 900,
                                                          r.number == 1 ? "5" : "30")));
  });
  proxy p(upstream);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body())).status, 200);
  auto const third = p.fetch(post_request("/v1/chat/completions", chat_body()));
  EXPECT_EQ(third.status, 200);
  auto const seen = upstream.seen();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_GE(seen[2].at - seen[1].at, 5s);
  EXPECT_LT(seen[2].at - seen[1].at, 20s);
}

TEST(Row8Health, AnsweredWithoutUpstream) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()));
  auto const r = p.fetch(get_request("/health"));
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.field("content-type"), "application/json");
  auto const body = boost::json::parse(r.body);
  EXPECT_EQ(body.at("status").as_string(), "ok");
  EXPECT_EQ(body.at("circuit_breaker").as_string(), "CLOSED");
  EXPECT_EQ(p.fetch("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD").status, 200);
  EXPECT_EQ(p.fetch(post_request("/health", "{}")).status, 405);
}

TEST(Row8Health, AHundredAtOnce) {
  proxy p("http://127.0.0.1:" + std::to_string(closed_port()));
  std::vector<tcp_client> clients;
  clients.reserve(100);
  for (int i = 0; i < 100; ++i) clients.emplace_back(p.port());
  for (auto const& c : clients) ASSERT_TRUE(c.send(get_request("/health")));
  for (auto& c : clients) EXPECT_EQ(read_response(c).status, 200);
  EXPECT_EQ(p.metric("cooldown_responses_total{status=\"200\"}"), 100);
}

TEST(Row8Health, AdminPagesAreNotOnTheMainPort) {
  fake_upstream upstream([](auto const&, tcp_client& c) { return c.send(ok_response("upstream")); });
  proxy p(upstream);
  for (auto const* path : {"/metrics", "/status", "/healthz", "/readyz"})
    EXPECT_EQ(p.fetch(get_request(path)).body, "upstream") << path;
  EXPECT_EQ(fetch(p.admin_port(), get_request("/healthz")).status, 200);
  EXPECT_EQ(fetch(p.admin_port(), get_request("/readyz")).status, 200);
  EXPECT_EQ(fetch(p.admin_port(), get_request("/v1/models")).status, 404);
  EXPECT_EQ(fetch(p.admin_port(), post_request("/v1/chat/completions", chat_body())).status, 404);
}

TEST(Row9FeatureFlag, OffIgnoresTheHeaders) {
  fake_upstream upstream(
      [](auto const&, tcp_client& c) { return c.send(ok_response(completion(), token_headers(1000, 0, "60"))); });
  proxy p(upstream, {{"feature_flags.header_based_rate_limiting", "false"}});
  for (int i = 0; i < 3; ++i) {
    auto const r = p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=0\r\n"));
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.field("X-RateLimit-Current-TPM-Limit"), "0");
    EXPECT_EQ(r.field("x-ratelimit-remaining-tokens-minute"), "0") << "still passed on";
  }
  EXPECT_EQ(p.metric("cooldown_header_parsing_success_total"), 0);
  EXPECT_EQ(p.metric("cooldown_header_parsing_failures_total"), 0);
  EXPECT_EQ(p.metric("cooldown_dynamic_timings_used_total"), 0);
  EXPECT_EQ(p.metric("cooldown_fallback_timings_used_total"), 3);
}

TEST(Row9FeatureFlag, OnObeysThemAndCounts) {
  fake_upstream upstream([](auto const& r, tcp_client& c) {
    return c.send(ok_response(completion(), r.number == 1 ? "" : token_headers(1000, r.number == 0 ? 900 : 0, "60")));
  });
  proxy p(upstream);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=0\r\n")).status, 200);
  auto const refused = p.fetch(post_request("/v1/chat/completions", chat_body(), "Prefer: wait=0\r\n"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.field("X-RateLimit-Reason"), "queue_timeout");
  EXPECT_EQ(p.metric("cooldown_header_parsing_success_total"), 2);
  EXPECT_EQ(p.metric("cooldown_header_parsing_failures_total"), 1);
  EXPECT_EQ(p.metric("cooldown_dynamic_timings_used_total"), 2);
  EXPECT_EQ(p.metric("cooldown_fallback_timings_used_total"), 1);
  auto const headers = p.status().at("headers");
  EXPECT_EQ(headers.at("parsing_success").to_number<int>(), 2);
  EXPECT_EQ(headers.at("dynamic_timings_used").to_number<int>(), 2);
}
