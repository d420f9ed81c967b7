// More models and keys than the limiter keeps: it forgets those that would be the same if created again.
#include <string>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::hours{1000}};

struct Forgetting : ::testing::Test {
  Forgetting() {
    settings.quota.use_headers = false;
    settings.quota.rpm_limit = 100;
    settings.quota.tpm_limit = 1e6;
    settings.max_scopes = 8;
    settings.models["once"].limit[{resource::requests, window::day}] = 1;
  }
  decision ask(std::string_view model, time_point now) {
    ticket_facts t;
    t.scope = {.credential = 1, .model = model};
    t.size.max_output_tokens = 100;
    t.max_wait = 1s;
    return limiter.submit(t, now);
  }
  /// One request that the provider answers with `status`.
  void use(std::string_view model, unsigned status, time_point now) {
    auto const decided = ask(model, now);
    auto const id = std::get<go>(decided).id;
    limiter.observe(id, {.status = status, .headers = {}, .error = {}}, now, {});
    limiter.settle(id, status < 300 ? 50 : 0, std::nullopt, now);
  }
  bool knows(std::string_view model, time_point now) {
    for (auto const& s : limiter.report(now))
      if (s.model == model) return true;
    return false;
  }

  void a_used_up_day_survives_names_answered_by(unsigned status) {
    limiter.configure(settings, start);
    use("once", 200, start);
    for (int i = 0; i < 100; ++i) use("made-up-" + std::to_string(i), status, start + 1s);
    EXPECT_TRUE(std::holds_alternative<refused>(ask("once", start + 2s)));
    EXPECT_LE(limiter.report(start + 2s).size(), 8U);
  }

  limiter_settings settings;
  cerebras_limiter limiter{settings};
};

TEST_F(Forgetting, AUsedUpDaySurvivesAnyNumberOfNamesThatTheProviderDoesNotKnow) {
  a_used_up_day_survives_names_answered_by(404);
}

TEST_F(Forgetting, AndOfNamesThatItTakesWhateverTheyAre) {
  a_used_up_day_survives_names_answered_by(200);
}

TEST_F(Forgetting, WhatHasAnsweredOutlivesWhatHasNot) {
  limiter.configure(settings, start);
  use("real", 200, start);
  for (int i = 0; i < 100; ++i) use("made-up-" + std::to_string(i), 404, start + 1s);
  EXPECT_TRUE(knows("real", start + 1s));
}

TEST_F(Forgetting, WhatIsFullAgainGoesFirst) {
  limiter.configure(settings, start);
  use("long ago", 200, start);
  for (int i = 0; i < 7; ++i) use("now " + std::to_string(i), 200, start + 10min);
  use("one more", 200, start + 10min);
  EXPECT_FALSE(knows("long ago", start + 10min));
  EXPECT_TRUE(knows("now 0", start + 10min));
}

struct Pausing : Forgetting {
  ticket_facts of(std::uint64_t credential) {
    ticket_facts t;
    t.scope = {.credential = credential, .model = "m"};
    t.size.max_output_tokens = 100;
    return t;
  }
};

TEST_F(Pausing, AModelIsHeldForKeysThatComeLaterToo) {
  EXPECT_FALSE(limiter.pause_model("m", true)) << "nobody has asked for it";
  limiter.submit(of(1), start);
  ASSERT_TRUE(limiter.pause_model("m", true));
  for (std::uint64_t const key : {1U, 2U})
    EXPECT_EQ(std::get<queued>(limiter.submit(of(key), start)).held_by, constraint::paused) << key;
  ASSERT_TRUE(limiter.pause_model("m", false));
  EXPECT_EQ(limiter.poll(start).size(), 2U);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(of(3), start)));
}

TEST_F(Pausing, OneKeyOfAPausedModelCanBeResumed) {
  limiter.submit(of(1), start);
  limiter.pause_model("m", true);
  ASSERT_TRUE(limiter.pause({.credential = 1, .model = "m"}, false));
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(of(1), start)));
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(of(2), start)));
}

TEST_F(Pausing, KeysWithoutEndOfAPausedModelAreForgottenLikeOthers) {
  limiter.configure(settings, start);
  limiter.submit(of(1), start);
  limiter.pause_model("m", true);
  for (std::uint64_t key = 2; key < 100; ++key)
    limiter.leave(std::get<queued>(limiter.submit(of(key), start)).id, start + 1s);
  EXPECT_LE(limiter.report(start + 1s).size(), 9U);
  EXPECT_TRUE(std::holds_alternative<queued>(limiter.submit(of(2), start + 2s)));
}

struct Unread : Forgetting {
  ticket_facts unread(std::uint64_t credential) {
    ticket_facts t;
    t.scope = {.credential = credential, .model = ""};
    t.unread = true;
    t.size.input_chars = 100;
    t.max_wait = 1s;
    return t;
  }
};

TEST_F(Unread, WhatCannotBeReadGoesByTheModelThatIsFreeLast) {
  limiter.configure(settings, start);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(unread(1), start))) << "no model has been heard of";
  use("free", 200, start);
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(unread(1), start)));
  use("once", 200, start);
  EXPECT_TRUE(std::holds_alternative<refused>(limiter.submit(unread(1), start)));
  EXPECT_TRUE(std::holds_alternative<go>(limiter.submit(unread(2), start))) << "of another key";
  EXPECT_TRUE(std::holds_alternative<go>(ask("free", start)));
}

TEST_F(Unread, APausedModelHoldsIt) {
  limiter.configure(settings, start);
  use("m", 200, start);
  use("free", 200, start);
  limiter.pause_model("m", true);
  EXPECT_EQ(std::get<queued>(limiter.submit(unread(1), start)).held_by, constraint::paused);
}

TEST_F(Forgetting, UsageThatNoWindowCanHoldIsNotBelieved) {
  settings.quota.tpm_limit = 10'000;
  for (std::uint64_t const absurd : {std::uint64_t{10'000'000'000'000}, UINT64_MAX}) {
    cerebras_limiter fresh(settings);
    ticket_facts t;
    t.scope = {.credential = 1, .model = "m"};
    t.size.max_output_tokens = 100;
    auto const id = std::get<go>(fresh.submit(t, start)).id;
    fresh.settle(id, absurd, absurd, start, absurd);
    auto const next = fresh.submit(t, start);
    if (auto const* const waits = std::get_if<queued>(&next)) {
      EXPECT_LE(waits->expected, start + 2min) << absurd;
    }
    EXPECT_LE(fresh.report(start).at(0).totals.tokens_used, 10'000) << absurd;
  }
}

}  // namespace
}  // namespace cooldown
