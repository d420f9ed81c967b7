// What 429s and failures do to the schedule: never faster than our own backoff, never silent for long, and a limit is
// learned from what refused, not from what happened to be counted.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

using fields = std::vector<header_field>;

const fields tokens_left{{"x-ratelimit-limit-tokens-minute", "60000"},
                         {"x-ratelimit-remaining-tokens-minute", "59000"}};

class LimiterRefusal : public ::testing::Test {
 protected:
  LimiterRefusal() { configure(1e6); }

  void forget() { limiter = std::make_unique<cerebras_limiter>(settings); }
  void configure(double rpm, double tpm = 1e9) {
    settings.quota.rpm_limit = rpm;
    settings.quota.tpm_limit = tpm;
    limiter->configure(settings, now);
  }
  decision submit(std::uint64_t tokens = 100, duration max_wait = 48h, std::uint64_t chars = 0) {
    ticket_facts t;
    t.scope = scope;
    t.size.max_output_tokens = tokens;
    t.size.input_chars = chars;
    t.max_wait = max_wait;
    return limiter->submit(t, now);
  }
  /// Of a request that is released at once.
  ticket_id send(std::uint64_t tokens = 100) { return std::get<go>(submit(tokens)).id; }
  bool sends(std::uint64_t tokens = 100) {
    auto const d = submit(tokens, 1ms);
    if (auto const* const g = std::get_if<go>(&d)) limiter->not_sent(g->id, now);
    return std::holds_alternative<go>(d);
  }
  observation answer(ticket_id id, unsigned status, const fields& headers = {}, const error_fields& error = {}) {
    return limiter->observe(id, {.status = status, .headers = headers, .error = error}, now, wall + (now - start));
  }
  void succeed(ticket_id id, const fields& headers = tokens_left) {
    answer(id, 200, headers);
    limiter->settle(id, 10, std::nullopt, now);
  }
  /// The next release, at its time.
  std::optional<ticket_id> next(time_point end) {
    while (now < end) {
      for (auto const& e : limiter->poll(now))
        if (!e.refusal) return e.id;
      auto const at = limiter->next_deadline(now);
      if (!at || *at >= end) break;
      now = *at;
    }
    return std::nullopt;
  }

  /// A provider's bucket of requests, of which no header speaks, and clients that always have one more waiting.
  struct tally {
    int admitted = 0;
    int refused = 0;
  };
  tally saturate(double rate, double level, double capacity, duration length, const fields& of_refusals,
                 const error_fields& error) {
    tally t;
    auto const end = now + length;
    auto at = now;
    auto const meet = [&](ticket_id id) {
      level = std::min(capacity, level + rate * seconds_of(now - at));
      at = now;
      now += 5ms;
      if (level < 1) {
        ++t.refused;
        answer(id, 429, of_refusals, error);
      } else {
        level -= 1;
        ++t.admitted;
        succeed(id);
      }
    };
    while (now < end) {
      while (limiter->queue_length() < 5) {
        auto const d = submit();
        if (auto const* const g = std::get_if<go>(&d)) meet(g->id);
        if (now >= end) return t;
      }
      auto const id = next(end);
      if (!id) return t;
      meet(*id);
    }
    return t;
  }

  time_point now = start;
  limiter_settings settings;
  std::unique_ptr<cerebras_limiter> limiter = std::make_unique<cerebras_limiter>(limiter_settings{});
};

const error_fields rpm_refused{"Requests per minute limit exceeded - too many requests sent.", "quota",
                               "request_quota_exceeded"};
const error_fields rph_refused{"Requests per hour limit exceeded - too many requests sent.", "quota",
                               "request_quota_exceeded"};
const error_fields tokens_refused{"Tokens per minute limit exceeded - too many tokens processed.", "quota",
                                  "token_quota_exceeded"};
const error_fields unnamed{"Rate limit exceeded", "", "rate_limit_exceeded"};
const error_fields busy{"We're experiencing high traffic right now!", "", "queue_exceeded"};

// --- a hidden limit

TEST_F(LimiterRefusal, ALimitThatWasSpentBeforeWeCameIsUsedAsConfigured) {
  for (auto const use_headers : {true, false}) {
    settings.quota.use_headers = use_headers;
    forget();
    configure(30);
    auto const t = saturate(0.5, 0, 30, 600s, {{"retry-after", "60"}}, rpm_refused);
    EXPECT_GE(t.admitted, 0.95 * 300) << use_headers;
    EXPECT_LE(t.refused, 8) << use_headers;
  }
}

TEST_F(LimiterRefusal, ALimitConfiguredTooHighIsLearnedWhateverTheRefusalsSay) {
  fields telling = tokens_left;  // of another limit
  telling.push_back({"retry-after", "1"});
  for (auto const& headers : {telling, fields{{"retry-after", "60"}}}) {
    for (auto const& error : {rpm_refused, unnamed}) {
      forget();
      configure(300);
      auto const t = saturate(1, 60, 60, 1800s, headers, error);
      EXPECT_GE(t.admitted, 0.97 * 1860) << error.message << headers.size();
      EXPECT_LE(t.refused, 0.02 * t.admitted) << error.message << headers.size();
    }
  }
}

TEST_F(LimiterRefusal, ALimitThatNobodyHasConfiguredIsLearnedByItsName) {
  configure(60);
  auto const t = saturate(150.0 / 3600, 150, 150, 2h, {{"retry-after", "60"}}, rph_refused);
  EXPECT_GE(t.admitted, 0.97 * 450);
  EXPECT_LE(t.refused, 0.05 * t.admitted);
}

TEST_F(LimiterRefusal, ALimitWithoutRemainingHoldsOnceARefusalHasNamedIt) {
  auto told = tokens_left;
  told.push_back({"x-ratelimit-limit-tokens-hour", "3600"});
  // By our own count it is overdrawn, which holds nothing back: what is shown under its name may not be all.
  for (int i = 0; i < 50; ++i) {
    auto const id = send();
    answer(id, 200, told);
    limiter->settle(id, 108, std::nullopt, now);
    now += 100ms;
  }
  auto const refused_at = now;
  auto const id = send();
  answer(id, 429, {}, {"Tokens per hour limit exceeded", "too_many_tokens_error", "token_quota_exceeded"});
  ASSERT_TRUE(next(now + 1h));
  EXPECT_GT(now - refused_at, 100s) << "its 108 tokens come in at one a second";
  EXPECT_LT(now - refused_at, 120s);
}

TEST_F(LimiterRefusal, OthersUseIsFollowedAndGivenBack) {
  configure(30);
  saturate(0.5, 0, 30, 120s, {{"retry-after", "60"}}, rpm_refused);
  saturate(0.05, 0, 30, 300s, {{"retry-after", "60"}}, rpm_refused);  // somebody takes nine tenths
  saturate(0.5, 0, 30, 20min, {{"retry-after", "60"}}, rpm_refused);  // and goes
  auto const t = saturate(0.5, 0, 30, 600s, {{"retry-after", "60"}}, rpm_refused);
  EXPECT_GE(t.admitted, 0.85 * 300);
}

TEST_F(LimiterRefusal, SomebodyWhoComesAndGoesDoesNotTakeTheLimitForGood) {
  fields const bare{{"retry-after", "60"}};
  error_fields const error{"Requests per minute limit exceeded", "too_many_requests_error", "request_quota_exceeded"};
  for (auto const free : {60s, 240s}) {
    forget();
    configure(200);
    tally sum;
    for (int cycle = 0; cycle < 60; ++cycle) {
      auto const begin = now;
      auto const crowded = saturate(0, 0, 200, 60s, bare, error);
      now = begin + 60s;
      auto const alone = saturate(200.0 / 60, 0, 200, free, bare, error);
      now = begin + 60s + free;
      sum.admitted += alone.admitted;
      sum.refused += crowded.refused + alone.refused;
    }
    EXPECT_GT(sum.admitted, 0.6 * 60 * 200 * seconds_of(free) / 60) << free.count();
    EXPECT_LT(sum.refused, 0.2 * sum.admitted) << free.count();
  }
}

TEST_F(LimiterRefusal, ALateRefusalOfAnOldRoundStopsNobody) {
  succeed(send());
  now += 1s;
  auto const first = send();
  now += 300ms;
  auto const second = send();
  error_fields const error{"Rate limit per second exceeded", "too_many_requests_error", "request_quota_exceeded"};
  now += 300ms;
  answer(second, 429, {}, error);
  auto const again = next(now + 10s);
  ASSERT_TRUE(again);
  succeed(*again);
  now += 100ms;
  answer(first, 429, {}, error);
  auto const refused_at = now;
  ASSERT_TRUE(next(now + 1h));
  EXPECT_LT(now - refused_at, 2s);
}

TEST_F(LimiterRefusal, ABucketOfTotalTokensIsNotCutToWhatHasBeenSent) {
  succeed(send());
  auto id = send(500);
  for (int i = 0; i < 4; ++i) {
    now += 50ms;
    ASSERT_EQ(answer(id, 429, {}, {"Total tokens per minute limit exceeded", "", "token_quota_exceeded"}).what,
              verdict::queue_again);
    auto const again = next(now + 1min);
    ASSERT_TRUE(again);
    id = *again;
  }
  auto const all = limiter->report(now).front().budgets;
  auto const total =
      std::find_if(all.begin(), all.end(), [](auto const& b) { return b.counts == resource::total_tokens; });
  ASSERT_NE(total, all.end());
  EXPECT_EQ(total->limit, 180'000);
}

// --- our own backoff

TEST_F(LimiterRefusal, ARowOfRefusalsIsNeverFasterThanOurOwnBackoff) {
  fields nothing_left{{"x-ratelimit-limit-tokens-minute", "60000"},
                      {"x-ratelimit-remaining-tokens-minute", "0"},
                      {"x-ratelimit-reset-tokens-minute", "0"}};
  std::vector<fields> answers{{}, tokens_left, nothing_left};
  for (auto const* const word : {"0", "0.001", "Sun, 06 Nov 1994 08:49:37 GMT", "1700000000"}) {
    answers.push_back({{"retry-after", word}});
    answers.push_back(nothing_left);
    answers.back().push_back({"retry-after", word});
  }
  answers.push_back({{"retry-after-ms", "0"}});
  answers.push_back({{"retry-after-ms", "1"}});
  for (auto const& headers : answers) {
    for (auto const& error : {rpm_refused, tokens_refused, rph_refused, unnamed, busy,
                              error_fields{"Requests per second limit exceeded", "", "request_quota_exceeded"}}) {
      forget();
      now = start;
      configure(1000);
      succeed(send());
      auto id = send();
      duration step = 500ms;
      duration own = error.code == busy.code ? 100ms - step : 0ms;  // the first may be bad luck
      for (int i = 0; i < 8; ++i) {
        ASSERT_EQ(answer(id, 429, headers, error).what, verdict::queue_again);
        auto const again = next(now + 2h);
        ASSERT_TRUE(again) << error.message;
        id = *again;
        own += step;
        step = std::min<duration>(2 * step, 32s);
        EXPECT_GE(now - start, own) << error.message << " " << i;
      }
    }
  }
}

// --- holds

TEST_F(LimiterRefusal, APauseForLoadEndsWithASuccess) {
  succeed(send());
  auto const refused = send();
  std::vector<ticket_id> others;
  for (int i = 0; i < 3; ++i) others.push_back(send());
  answer(refused, 429, {{"retry-after", "86400"}}, busy);
  now += 10ms;
  for (auto const id : others) succeed(id);
  EXPECT_EQ(next(now + 2s), refused);
  EXPECT_TRUE(sends());
}

TEST_F(LimiterRefusal, APauseIsNoLongerThanTheWindowItIsAbout) {
  succeed(send(), {});
  auto const id = send();
  for (int i = 0; i < 6; ++i) {  // beyond what the model is trusted for
    answer(id, 429, {{"retry-after", "86400"}}, rpm_refused);
    auto const since = now;
    ASSERT_EQ(next(now + 2h), id);
    EXPECT_LE(now - since, 61s);
  }
}

TEST_F(LimiterRefusal, APauseOfADayIsProbedAndEndsWithTheProbesSuccess) {
  succeed(send());
  auto const id = send();
  answer(id, 429, {{"retry-after", "86400"}}, busy);
  auto const since = now;
  ASSERT_EQ(next(now + 2h), id);
  EXPECT_LE(now - since, 10min);
  succeed(id);
  EXPECT_TRUE(sends());
}

TEST_F(LimiterRefusal, ALongPauseRejectsNobodyWhoCanWaitForTheProbe) {
  answer(send(), 429, {{"retry-after", "3600"}}, unnamed);
  EXPECT_TRUE(std::holds_alternative<queued>(submit(100, 10min)));
  EXPECT_TRUE(std::holds_alternative<refused>(submit(100, 1min)));
}

TEST_F(LimiterRefusal, OnlyARefusalThatMayBeAboutSizeMakesARequestTooLarge) {
  for (auto const* message : {"Tokens per day limit exceeded", "Rate limit of tokens per second exceeded"}) {
    forget();
    configure(1e6);
    succeed(send());
    now += 2min;
    auto const doubtful = send(100'000);
    auto const seen = answer(doubtful, 429, {}, {message, "too_many_tokens_error", "token_quota_exceeded"});
    EXPECT_EQ(seen.what, verdict::queue_again) << message;
  }
}

TEST_F(LimiterRefusal, WhoeverRefusesIsAskedLessAndLessOften) {
  succeed(send());
  auto id = send();
  int asked = 0;
  while (now < start + 24h) {
    answer(id, 429, {{"retry-after", "86400"}}, busy);
    auto const again = next(start + 24h);
    if (!again) break;
    ++asked;
    id = *again;
  }
  EXPECT_GE(asked, 4);
  EXPECT_LE(asked, 9);
}

// --- what was once told

TEST_F(LimiterRefusal, ALimitOnceToldRejectsNobodyWhenItIsOld) {
  configure(1e6, 1e6);
  succeed(send(), {{"x-ratelimit-limit-tokens-minute", "30000"}, {"x-ratelimit-remaining-tokens-minute", "29000"}});
  auto const d = submit(100, 1min, 400'000);
  ASSERT_TRUE(std::holds_alternative<refused>(d));
  EXPECT_EQ(std::get<refused>(d).why, reason::request_too_large_for_limit);
  now += 5min + 1s;
  auto const probe = submit(100, 1min, 400'000);
  ASSERT_TRUE(std::holds_alternative<go>(probe));
  now += 1s;
  succeed(std::get<go>(probe).id,
          {{"x-ratelimit-limit-tokens-minute", "1000000"}, {"x-ratelimit-remaining-tokens-minute", "900000"}});
  EXPECT_FALSE(std::holds_alternative<refused>(submit(100, 1min, 400'000)));
}

TEST_F(LimiterRefusal, AnUpgradeOfALongLimitIsFoundByOneProbe) {
  for (auto const* const over : {"hour", "day"}) {
    for (auto const* const reset : {"", "3000", "3600000"}) {
      forget();
      configure(1e6, 1e9);
      auto const limit = std::string("x-ratelimit-limit-tokens-") + over;
      auto const remaining = std::string("x-ratelimit-remaining-tokens-") + over;
      auto const resets = std::string("x-ratelimit-reset-tokens-") + over;
      fields spent = tokens_left;
      spent.push_back({limit, "30000"});
      spent.push_back({remaining, "0"});
      if (*reset != '\0') spent.push_back({resets, reset});
      succeed(send(), spent);
      EXPECT_FALSE(sends(40'000));
      EXPECT_FALSE(sends());
      now += 5min + 1s;
      auto const probe = submit(40'000, 1s);
      ASSERT_TRUE(std::holds_alternative<go>(probe)) << over << reset;
      EXPECT_FALSE(sends()) << "one at a time";
      fields upgraded = tokens_left;
      upgraded.push_back({limit, "1000000"});
      upgraded.push_back({remaining, "900000"});
      succeed(std::get<go>(probe).id, upgraded);
      EXPECT_TRUE(sends()) << over << reset;
    }
  }
}

TEST_F(LimiterRefusal, WhatIsConfiguredAndUsedUpIsNotProbed) {
  settings.quota.limits.limit[{resource::requests, window::day}] = 3;
  configure(1e6);
  for (int i = 0; i < 3; ++i) succeed(send());
  EXPECT_FALSE(sends());
  now += 20min;
  EXPECT_FALSE(sends());
}

// --- failures

TEST_F(LimiterRefusal, FailuresWithHeadersAreReadingsNoRefusals) {
  settings.quota.replenishment = refill::continuous;
  fields const left{{"x-ratelimit-limit-tokens-minute", "60000"},
                    {"x-ratelimit-remaining-tokens-minute", "20000"},
                    {"x-ratelimit-limit-tokens-day", "1000000"},
                    {"x-ratelimit-remaining-tokens-day", "20000"}};
  for (unsigned const status : {400U, 404U, 422U, 500U, 503U}) {
    forget();
    configure(1e6);
    succeed(send(), left);
    for (int i = 0; i < 20; ++i) {
      now += 2s;
      auto const id = send(1000);
      answer(id, status, left);
      limiter->settle(id, 0, std::nullopt, now);
    }
    EXPECT_TRUE(sends(15'000)) << status;
  }
}

TEST_F(LimiterRefusal, WhatAPartialSnapshotSaysHolds) {
  succeed(send());
  succeed(send(), {{"x-ratelimit-limit-tokens-minute", "60000"},
                   {"x-ratelimit-remaining-tokens-minute", "rubbish"},
                   {"x-ratelimit-limit-requests-day", "100"},
                   {"x-ratelimit-remaining-requests-day", "0"}});
  EXPECT_FALSE(sends());
}

}  // namespace
}  // namespace cooldown
