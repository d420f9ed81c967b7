// The simulated provider's refusals and how correctly it shows its limits, without sockets or a clock.
#include "cooldown/sim/provider.hpp"

#include <gmock/gmock.h>

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

constexpr auto length_of_run = 100s;

/// Requests of 100 tokens in and a maximum of 200 to one model.
class upstream {
 public:
  explicit upstream(const provider_settings& settings)
      : provider_(settings, {{"m", settings.limits}}, false, length_of_run, 1) {}

  /// Its status; 200: admitted, and never settled.
  unsigned ask(nanoseconds now = 0s, bool bad = false) {
    provider_.advance(now);
    auto answer = provider_.arrive(provider_.quotas().first(), {.input_tokens = 100, .max_output = 200}, bad, now);
    if (auto* const no = std::get_if<provider_refusal>(&answer)) {
      last = *no;
      headers_ = no->headers;
      return no->status;
    }
    headers_ = std::get<grant>(answer).headers;
    held = std::get<grant>(answer).held;
    return 200;
  }
  void settle(nanoseconds now = 0s) { provider_.quotas().first().settle(held, {100, 0, 200}, now); }
  std::string header(const std::string& name) const {
    for (auto const& h : headers_) {
      if (h.name == name) return h.value;
    }
    return "absent";
  }
  std::string remaining() const { return header("x-ratelimit-remaining-tokens-minute"); }
  provider& it() { return provider_; }
  const std::vector<rate_header>& headers() const { return headers_; }

  provider_refusal last;
  reservation held;

 private:
  provider provider_;
  std::vector<rate_header> headers_;
};

provider_settings of(model_limits limits) {
  provider_settings s;
  s.limits = limits;
  return s;
}

TEST(Provider, AHiddenLimitHoldsAndNoHeaderShowsIt) {
  auto s = of({.rpm = 100, .rph = 1, .tpm = 60'000});
  s.hidden = {{resource::requests, window::hour}};
  s.refusals = refusal_style::telling;
  upstream up(s);
  EXPECT_EQ(up.ask(), 200U);
  EXPECT_EQ(up.header("x-ratelimit-limit-requests-hour"), "absent");
  EXPECT_EQ(up.header("x-ratelimit-limit-requests-minute"), "100");
  EXPECT_EQ(up.ask(), 429U);
  EXPECT_EQ(up.last.error.message, "Requests per hour limit exceeded - too many requests sent.");
  EXPECT_EQ(up.header("x-ratelimit-limit-requests-hour"), "absent");
  EXPECT_EQ(up.header("x-ratelimit-remaining-requests-minute"), "99");
}

TEST(Provider, ALoadRefusalSaysOnlyWhatItIsToSay) {
  auto s = of({.tpm = 60'000});
  s.concurrency = 1;
  upstream silent(s);
  EXPECT_EQ(silent.ask(), 200U);
  EXPECT_EQ(silent.ask(), 429U);
  EXPECT_EQ(silent.last.error.code, "queue_exceeded");
  EXPECT_FALSE(silent.last.limit);
  EXPECT_THAT(silent.headers(), IsEmpty());
  silent.settle();
  EXPECT_EQ(silent.ask(), 200U);
  s.load_retry_after = "soon";
  s.load_should_retry = false;
  upstream talking(s);
  talking.ask();
  EXPECT_EQ(talking.ask(), 429U);
  EXPECT_EQ(talking.header("retry-after"), "soon");
  EXPECT_EQ(talking.header("x-should-retry"), "false");
}

TEST(Provider, RefusesAShareForLoadAtItsTimes) {
  auto s = of({});
  s.load = load_refusals{.share = 0.3, .when = {.from = 10s, .until = 20s, .every = {}}};
  upstream up(s);
  int before = 0;
  int during = 0;
  for (int i = 0; i < 1'000; ++i) before += up.ask(9s) == 429 ? 1 : 0;
  for (int i = 0; i < 1'000; ++i) during += up.ask(15s) == 429 ? 1 : 0;
  EXPECT_EQ(before, 0);
  EXPECT_NEAR(during, 300, 60);
  EXPECT_EQ(up.ask(21s), 200U);
}

TEST(Provider, LimitsChangeAtTheirShareOfTheRun) {
  auto s = of({.tpm = 60'000});
  s.changes = {{0.5, 0.5}, {0.25, 2}};  // in any order
  upstream up(s);
  EXPECT_EQ(up.it().next_event(), 25s);
  up.ask(25s - 1ns);
  EXPECT_EQ(up.header("x-ratelimit-limit-tokens-minute"), "60000");
  up.ask(25s);
  EXPECT_EQ(up.header("x-ratelimit-limit-tokens-minute"), "120000");
  up.ask(50s);
  EXPECT_EQ(up.header("x-ratelimit-limit-tokens-minute"), "30000") << "of those at the start";
  EXPECT_FALSE(up.it().next_event());
}

TEST(Provider, OthersTakeTheirPartHoweverSeldomItIsAsked) {
  auto s = of({.tpm = 60'000});
  s.rules.refill = refill_rule::sliding;
  s.foreign = foreign_use{.tpm = 6'000, .rpm = 0, .when = {.from = 0s, .until = 30s, .every = {}}};
  upstream often(s);
  for (auto t = 0s; t < 40s; t += 1s) often.it().advance(t);
  often.ask(40s);
  upstream once(s);
  once.ask(40s);
  EXPECT_EQ(often.remaining(), once.remaining());
  EXPECT_NEAR(std::stod(once.remaining()), 60'000 - 3'000 - 300, 50);
}

TEST(Provider, TellsWhatIsSpentAtTheStart) {
  auto s = of({.rpm = 30, .tpm = 60'000, .tpd = 1'000'000});
  s.spent = {{{resource::requests, window::minute}, 1}, {{resource::tokens, window::day}, 0.99}};
  upstream up(s);
  EXPECT_EQ(up.ask(), 429U);
  EXPECT_EQ(up.last.limit->counts, resource::requests);
  EXPECT_EQ(up.ask(2s), 200U);
  EXPECT_EQ(up.header("x-ratelimit-remaining-tokens-day"), "9723");  // two seconds' refill, and 300 taken
}

TEST(Provider, ErrorsCostNothing) {
  auto s = of({.tpm = 60'000});
  s.failures = 1;
  s.headers_on_errors = true;
  upstream up(s);
  EXPECT_EQ(up.ask(), 503U);
  EXPECT_EQ(up.remaining(), "60000");
  EXPECT_EQ(up.ask(0s, true), 400U);
  EXPECT_EQ(up.remaining(), "60000");
}

TEST(Provider, ATellingRefusalMayHaveHeadersOfItsOwn) {
  auto s = of({.tpm = 1'200});
  s.refusals = refusal_style::telling;
  s.retry_after.reset();
  upstream as_usual(s);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(as_usual.ask(), 200U);
  EXPECT_EQ(as_usual.ask(), 429U);
  EXPECT_EQ(as_usual.header("retry-after"), "15");
  EXPECT_EQ(as_usual.header("x-ratelimit-reset-tokens-minute"), "absent");
  s.refusal_headers = header_style::all_resets;
  upstream with_resets(s);
  for (int i = 0; i < 5; ++i) with_resets.ask();
  EXPECT_EQ(std::stod(with_resets.header("x-ratelimit-reset-tokens-minute")), 60);
}

TEST(Provider, ForgetsItsHeadersInPart) {
  auto s = of({.tpm = 60'000'000});
  s.headers_missing = 0.5;
  upstream up(s);
  int missing = 0;
  for (int i = 0; i < 1'000; ++i) {
    up.ask();
    missing += up.remaining() == "absent" ? 1 : 0;
  }
  EXPECT_NEAR(missing, 500, 60);
}

TEST(Provider, HasDiceForWhoeverHasNone) {
  auto s = of({});
  s.bad_requests = 1;
  s.usage_missing = 1;
  s.headers_late = {1s, 2s};
  s.tokens_per_char = 1.0 / 3;
  upstream up(s);
  EXPECT_TRUE(up.it().draw_bad());
  EXPECT_TRUE(up.it().draw_without_usage());
  EXPECT_GE(up.it().draw_lateness(), 1s);
  EXPECT_LE(up.it().draw_lateness(), 2s);
  EXPECT_EQ(up.it().draw_tokens(9), 3);
  EXPECT_EQ(up.it().draw_tokens(10), 4);
  upstream honest(of({}));
  EXPECT_FALSE(honest.it().draw_bad());
  EXPECT_EQ(honest.it().draw_lateness(), 0s);
}

}  // namespace
}  // namespace cooldown::sim
