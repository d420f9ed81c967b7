// The behaviour of a workload's provider beyond quota.
#include "quota/provider.hpp"

#include <gmock/gmock.h>

#include "quota/experiment.hpp"
#include "quota/workload_file.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

workload read(std::string_view text) {
  auto const got = read_workload(text, "w.yaml");
  if (auto const* const error = std::get_if<workload_error>(&got)) throw std::runtime_error(error->message);
  return std::get<workload>(got);
}

/// A provider and requests of 100 tokens in and a maximum of 200.
class upstream {
 public:
  explicit upstream(std::string_view text)
      : w_(read(text)), provider_(loop_, w_.provider, 1, w_.length, [this] { ++changes; }) {}

  std::optional<refusal> ask(call& c) {
    c.facts = {.input_tokens = 100, .cached_tokens = 0, .max_output = 200};
    headers_.clear();
    auto const no = provider_.arrive(c, headers_);
    if (no) headers_ = no->headers;
    return no;
  }
  std::optional<refusal> ask() {
    call c;
    return ask(c);
  }
  std::string header(const std::string& name) const {
    for (auto const& h : headers_) {
      if (h.name == name) return h.value;
    }
    return "absent";
  }
  std::string remaining() const { return header("x-ratelimit-remaining-tokens-minute"); }
  void wait_until(duration t) { loop_.run_until(loop_.start() + t); }
  provider& it() { return provider_; }
  int changes = 0;

 private:
  workload w_;
  event_loop loop_;
  provider provider_;
  rate_headers headers_;
};

TEST(BenchProvider, WhatIsSpentIsGoneAtTheStart) {
  upstream up("provider: {limits: {rpm: 10, tpm: 60000}, spent: {rpm: 0.9}}");
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.header("x-ratelimit-remaining-requests-minute"), "0");
  EXPECT_EQ(up.remaining(), "59700");
  auto const no = up.ask();
  ASSERT_TRUE(no);
  EXPECT_EQ(no->status, 429U);
  EXPECT_EQ(no->error.code, "request_quota_exceeded");
  EXPECT_EQ(up.header("retry-after"), "60");
  EXPECT_EQ(up.remaining(), "absent");  // a bare refusal
}

TEST(BenchProvider, MoreAtOnceThanItsConcurrencyAreRefusedForLoad) {
  upstream up("provider: {concurrency: 1}");
  call first;
  EXPECT_FALSE(up.ask(first));
  auto const no = up.ask();
  ASSERT_TRUE(no);
  EXPECT_EQ(no->error.code, "queue_exceeded");
  EXPECT_FALSE(no->retry_after);
  EXPECT_EQ(up.it().admissible_at(first), time_point::max());
  up.it().settle(first, 200);
  EXPECT_FALSE(up.ask());
}

TEST(BenchProvider, RefusesForLoadAtItsTimes) {
  upstream up(R"(provider: {load: {share: 1, from: 10s, until: 20s, retry_after: "0"}})");
  EXPECT_FALSE(up.ask());
  up.wait_until(10s);
  ASSERT_TRUE(up.ask());
  EXPECT_EQ(up.header("retry-after"), "0");
  up.wait_until(21s);
  EXPECT_FALSE(up.ask());
}

TEST(BenchProvider, ErrorsShowHeadersWhereTheyAreOnAllAnswers) {
  upstream success("provider: {errors: {503: 1}}");
  EXPECT_EQ(success.ask()->status, 503U);
  EXPECT_EQ(success.remaining(), "absent");
  upstream all("provider: {errors: {503: 1}, headers_on: all}");
  EXPECT_EQ(all.ask()->status, 503U);
  EXPECT_EQ(all.remaining(), "60000");
  upstream bad("provider: {headers_on: all}");
  call c;
  c.bad = true;
  auto const no = bad.ask(c);
  EXPECT_EQ(no->status, 400U);
  EXPECT_FALSE(no->retry_helps());
  EXPECT_EQ(bad.remaining(), "60000");
}

TEST(BenchProvider, RefusalsTellOrDoNot) {
  upstream telling("provider: {spent: {tpm: 1}, refusals: telling, retry_after: exact}");
  EXPECT_EQ(telling.ask()->error.code, "token_quota_exceeded");
  EXPECT_EQ(telling.remaining(), "0");
  EXPECT_EQ(telling.header("retry-after"), "1");  // 0.3 s
  upstream generic("provider: {spent: {tpm: 1}, refusals: generic, retry_after: 86400}");
  auto const no = generic.ask();
  EXPECT_EQ(no->error.code, "");
  EXPECT_EQ(no->error.type, "");
  EXPECT_EQ(no->retry_after, 86'400s);
}

TEST(BenchProvider, HeadersMayBeStale) {
  upstream up("provider: {headers_stale: 10s}");
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "59700");
  up.wait_until(9s);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "59700");
  up.wait_until(10s);
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "30700");
}

TEST(BenchProvider, OneHeaderMayBeAbsurdAndAResetAlwaysTheSame) {
  upstream up("provider: {headers: resets, reset_says: 60, anomaly: {at: 30s, factor: 17}}");
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "59700");
  EXPECT_EQ(std::stod(up.header("x-ratelimit-reset-tokens-minute")), 60);
  up.wait_until(30s);
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "1020000");
  EXPECT_FALSE(up.ask());
  EXPECT_EQ(up.remaining(), "59400");
}

TEST(BenchProvider, AColleagueTakesRequestsWithTheirTokensOrTokensAlone) {
  upstream requests(
      "provider: {limits: {rpm: 100, tpm: 60000}, refill: sliding, foreign: {rpm: 30, tpm: 3000, until: 20s}}");
  requests.wait_until(40s);
  EXPECT_FALSE(requests.ask());
  EXPECT_EQ(requests.header("x-ratelimit-remaining-requests-minute"), "89");
  EXPECT_EQ(requests.remaining(), "58700");
  upstream tokens("provider: {limits: {rpm: 100, tpm: 60000}, refill: sliding, foreign: {tpm: 3000, until: 20s}}");
  tokens.wait_until(40s);
  EXPECT_FALSE(tokens.ask());
  EXPECT_EQ(tokens.header("x-ratelimit-remaining-requests-minute"), "99");
}

outcome ours(std::string_view text, duration length = 120s) {
  return run_experiment(read(text), {.who = contestant::ours, .length = length, .seed = 1});
}

TEST(BenchClients, ARestartCutsTheirRequestsOffAndTheyComeBack) {
  auto const o = ours("events: [{at: 30s, restart: true}]");
  EXPECT_GE(o.non_200, 24U);  // each was waiting or being answered; what is learned anew may cost more
  EXPECT_EQ(o.lost, 0U);
  EXPECT_GT(o.admitted, 200U);
}

TEST(BenchClients, RestartsInARowUseUpTheirRepetitions) {
  auto const o = ours(
      "clients: [{pause: 1s}]\nevents: [{at: 30s, restart: true}, {at: 31s, restart: true}, {at: 33s, restart: true}]");
  EXPECT_GT(o.lost, 0U);
  EXPECT_LE(o.lost, 24U);
}

TEST(BenchClients, BadRequestsAreLostAndFailuresRepeatedByTheProxy) {
  auto const bad = ours("provider: {errors: {400: 0.5}}");
  EXPECT_EQ(bad.non_200, bad.lost);
  EXPECT_GT(bad.lost, 50U);
  EXPECT_EQ(bad.refused, 0U);
  auto const failing = ours("provider: {errors: {503: 0.2}}");
  EXPECT_LT(failing.non_200, failing.admitted / 20);  // three in a row
  EXPECT_EQ(failing.lost, 0U);
}

TEST(BenchClients, WhoStopsAStreamHasUsedWhatWasGenerated) {
  auto const o = ours(
      "clients: [{connections: 1, input_chars: 400, max_output: 400, reply: 400, time_per_token: 100ms,"
      " cancel: {share: 1, after: 10s}}]");
  // 100 tokens in and some 99 out, twelve times.
  auto const used = o.clients.at(1).tokens;
  EXPECT_EQ(used, o.tokens);
  EXPECT_NEAR(used, 12 * 199, 199);
}

}  // namespace
}  // namespace cooldown::bench
