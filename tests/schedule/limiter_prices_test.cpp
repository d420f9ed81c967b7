// Waiting tickets reserve by the latest cost estimates, not by those at submission.
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t chars = 60'000;
constexpr std::uint64_t most_output = 1'000;

struct LimiterPrices : ::testing::Test {
  LimiterPrices() {
    limiter_settings settings;
    settings.quota.rpm_limit = 1e6;
    settings.quota.tpm_limit = 60'000;
    settings.quota.replenishment = refill::continuous;
    limiter.configure(settings, start);
    shows("60000");
  }

  static std::array<header_field, 2> left(std::string const& remaining) {
    return {{{"x-ratelimit-limit-tokens-minute", "60000"}, {"x-ratelimit-remaining-tokens-minute", remaining}}};
  }
  void shows(std::string const& remaining) { limiter.update_from_headers(scope, left(remaining), start, wall); }

  /// The ticket; `went`: at once.
  ticket_id submit(bool dense, bool* went = nullptr) {
    ticket_facts t;
    t.scope = scope;
    t.size.input_chars = chars;
    if (dense) t.size.input_kinds.dense = chars;
    t.size.max_output_tokens = most_output;
    t.max_wait = 1h;
    auto const decided = limiter.submit(t, start);
    auto const* const yes = std::get_if<go>(&decided);
    if (went) *went = yes != nullptr;
    return yes ? yes->id : std::get<queued>(decided).id;
  }

  void answer(ticket_id id, std::uint64_t prompt, std::string const& remaining, time_point now) {
    auto const headers = left(remaining);
    limiter.observe(id, {.status = 200, .headers = headers, .error = {}}, now, wall);
    limiter.settle(id, prompt + 100, prompt, now);
  }

  std::size_t released(time_point now) { return limiter.poll(now).size(); }

  cerebras_limiter limiter{limiter_settings{}};
};

TEST_F(LimiterPrices, InputsThatTurnOutCheapReleaseWhatWaitsForThem) {
  bool went = false;
  auto const first = submit(true, &went);
  ASSERT_TRUE(went);
  std::vector<ticket_id> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(submit(true));
  EXPECT_GT(limiter.cost_of(waiting[0]), 45'000) << "base64 by guess";
  answer(first, chars / 4, "44000", start + 1s);
  for (auto const id : waiting) EXPECT_LT(limiter.cost_of(id), 17'000);
  EXPECT_EQ(released(start + 1s), 2) << "of 16,000 tokens each, in 44,000";
}

TEST_F(LimiterPrices, InputsThatTurnOutDearAreNotSentIntoARefusal) {
  auto const first = submit(false);
  auto const second = submit(false);
  submit(false);
  bool went = true;
  auto const waiting = submit(false, &went);
  ASSERT_FALSE(went) << "19,000 tokens each by guess";
  answer(first, chars * 9 / 10, "5000", start + 1s);
  answer(second, chars * 9 / 10, "5000", start + 1s);
  EXPECT_GT(limiter.cost_of(waiting), 50'000);
}

TEST_F(LimiterPrices, OneUsageThatIsFarTooHighMakesNothingThatWaitsDear) {
  auto const first = submit(false);
  std::vector<ticket_id> waiting;
  for (int i = 0; i < 25; ++i) waiting.push_back(submit(false));
  double const before = limiter.cost_of(waiting.back());
  answer(first, chars * 4, "42000", start + 1s);
  EXPECT_LT(limiter.cost_of(waiting.back()), 1.25 * before);
}

}  // namespace
}  // namespace cooldown
