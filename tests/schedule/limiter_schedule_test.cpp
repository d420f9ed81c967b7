// The limiter's order: urgency, shares, backfilling, forecasts, and what refusals and configuration change.
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cooldown/schedule/cerebras_limiter.hpp"

#include "one_scope.hpp"

namespace cooldown {
namespace {

using namespace std::chrono_literals;

using ids = std::vector<ticket_id>;

/// Fields of an account with `limit` tokens a minute, and what else is set.
struct fields {
  double limit = 60'000;
  double remaining = 0;
  std::optional<int> reset{};
  std::optional<double> hour_limit{};
  std::optional<double> hour_remaining{};
};

class LimiterSchedule : public ::testing::Test {
 protected:
  LimiterSchedule() {
    settings.quota.rpm_limit = 1e6;
    settings.quota.tpm_limit = 1e9;
    settings.quota.replenishment = refill::continuous;  // how that is learned is another test's business
    limiter.configure(settings, start);
  }

  ticket_facts costing(double tokens, std::uint64_t client = 0, std::uint8_t urgency = 3) const {
    ticket_facts t;
    t.scope = in;
    t.size.max_output_tokens = static_cast<std::uint64_t>(tokens) - 8;
    t.client = client;
    t.urgency = urgency;
    return t;
  }
  template <class F>
  void with_headers(const fields& f, F use) const {
    std::vector<std::string> text;
    text.reserve(8);
    std::vector<header_field> out;
    auto const add = [&](std::string_view name, double value) {
      text.push_back(std::to_string(static_cast<std::int64_t>(value)));
      out.push_back({name, text.back()});
    };
    add("x-ratelimit-limit-tokens-minute", f.limit);
    add("x-ratelimit-remaining-tokens-minute", f.remaining);
    if (f.reset) add("x-ratelimit-reset-tokens-minute", *f.reset);
    if (f.hour_limit) add("x-ratelimit-limit-tokens-hour", *f.hour_limit);
    if (f.hour_remaining) add("x-ratelimit-remaining-tokens-hour", *f.hour_remaining);
    use(header_view{out});
  }
  void know(const fields& f, time_point now = start) {
    with_headers(f, [&](header_view h) { limiter.update_from_headers(in, h, now, wall + (now - start)); });
  }
  void answer(ticket_id id, const fields& f, time_point now = start) {
    with_headers(f, [&](header_view h) {
      limiter.observe(id, {.status = 200, .headers = h, .error = {}}, now, wall + (now - start));
    });
  }
  observation refuse(ticket_id id, std::string_view message, std::string_view code, time_point now = start) {
    return limiter.observe(id, {.status = 429, .headers = {}, .error = {.message = message, .type = "", .code = code}},
                           now, wall + (now - start));
  }
  ticket_id submit(const ticket_facts& t, time_point now = start) {
    auto const d = limiter.submit(t, now);
    if (auto const* const g = std::get_if<go>(&d)) return g->id;
    if (auto const* const q = std::get_if<queued>(&d)) return q->id;
    return 0;
  }
  bool goes_at_once(const ticket_facts& t, time_point now = start) {
    return std::holds_alternative<go>(limiter.submit(t, now));
  }
  /// How many of `most` small requests go at once, each with an answer; no others stay.
  int count_at_once(int most, time_point now = start) {
    int count = 0;
    for (int i = 0; i < most; ++i) {
      auto const id = submit(costing(10), now);
      if (limiter.standing_of(id, now)) {
        limiter.leave(id, now);
      } else if (id != 0) {
        ++count;
        limiter.settle(id, 10, std::nullopt, now);
      }
    }
    return count;
  }
  ids released(time_point now) {
    ids out;
    for (auto const& e : limiter.poll(now))
      if (!e.refusal) out.push_back(e.id);
    return out;
  }
  /// When `id` goes, if nothing else happens.
  time_point when(ticket_id id, time_point now) {
    for (int i = 0; i < 10'000; ++i) {
      for (auto const went : released(now))
        if (went == id) return now;
      auto const next = limiter.next_deadline(now);
      if (!next) break;
      now = *next;
    }
    return time_point::max();
  }
  std::optional<scope_report::budget_report> budget_of(resource counts, window over, time_point now) {
    for (auto const& s : limiter.report(now))
      if (s.model == in.model && s.credential == in.credential)
        for (auto const& b : s.budgets)
          if (b.counts == counts && b.over == over) return b;
    return std::nullopt;
  }

  scope_name in = scope;
  limiter_settings settings;
  cerebras_limiter limiter{limiter_settings{}};
};

// --- order

TEST_F(LimiterSchedule, TheMostUrgentGoesFirst) {
  know({});
  auto const background = submit(costing(1000, 1, 7));
  auto const usual = submit(costing(1000, 2));
  auto const urgent = submit(costing(1000, 3, 0));
  EXPECT_EQ(released(start + 5s), (ids{urgent, usual, background}));
}

TEST_F(LimiterSchedule, AClassThatHasWaitedLongGoesOnceBeforeWhatIsMoreUrgent) {
  settings.ageing = 10s;
  limiter.configure(settings, start);
  know({});
  auto const background = submit(costing(20'000, 1, 5));
  know({}, start + 9s);  // somebody else takes it all
  auto const usual = submit(costing(100, 2, 3), start + 9s);
  EXPECT_EQ(released(start + 9500ms), (ids{usual}));
  know({}, start + 20s);
  auto const late = submit(costing(100, 2, 3), start + 20s);
  EXPECT_EQ(released(start + 21s), ids{late}) << "twenty seconds are too long to hold it up";
  auto const later = start + 40200ms - 500ms;
  auto const last = submit(costing(100, 2, 3), later);
  EXPECT_TRUE(released(later).empty()) << "half a second is not";
  EXPECT_EQ(released(start + 41s), (ids{background, last}));
}

TEST_F(LimiterSchedule, ABacklogOfTheLeastUrgentDoesNotDelayTheMostUrgent) {
  settings.max_depth = 2'000;
  limiter.configure(settings, start);
  know({});
  auto facts = costing(500, 1, 7);
  facts.max_wait = 24h;
  for (int i = 0; i < 1'000; ++i) ASSERT_NE(submit(facts), 0U);
  std::map<ticket_id, time_point> urgent;
  duration longest{};
  std::size_t background = 0;
  auto const run_until = [&](time_point now, time_point end) {
    for (; now <= end; now = std::min(limiter.next_deadline(now).value_or(time_point::max()), end + 1ns)) {
      for (auto const id : released(now)) {
        if (auto const found = urgent.find(id); found != urgent.end()) {
          longest = std::max<duration>(longest, now - found->second);
          urgent.erase(found);
        } else {
          ++background;
        }
        limiter.settle(id, 500, std::nullopt, now);
      }
    }
  };
  for (auto now = start; now < start + 10min; now += 5s) {
    auto const d = limiter.submit(costing(500, 2, 0), now);
    if (auto const* const q = std::get_if<queued>(&d)) {
      urgent[q->id] = now;
      EXPECT_LE(q->expected, now + 1200ms);
    } else {
      limiter.settle(std::get<go>(d).id, 500, std::nullopt, now);
    }
    run_until(now, now + 5s - 1ms);
  }
  EXPECT_TRUE(urgent.empty());
  EXPECT_LE(longest, 1200ms);
  EXPECT_EQ(background, 1'000U);  // ten minutes at two a second, less 120
}

TEST_F(LimiterSchedule, TheLeastUrgentGoOnBesideAsManyUrgentAsTheQuotaServes) {
  know({});
  std::map<ticket_id, int> whose;
  for (int i = 0; i < 100; ++i) whose[submit(costing(500, 1, 7))] = 7;
  for (int i = 0; i < 100; ++i) whose[submit(costing(500, 1, 5))] = 5;
  auto const third = whose.begin();
  auto const expected = limiter.standing_of(std::next(third, 2)->first, start)->expected;
  std::map<int, std::vector<duration>> went;
  for (auto now = start; now < start + 4min; now += 100ms) {
    while (limiter.queue_length() < 230) whose[submit(costing(500, 2, 0), now)] = 0;
    for (auto const id : released(now)) {
      went[whose.at(id)].push_back(now - start);
      limiter.settle(id, 500, std::nullopt, now);
    }
  }
  // Of 480 releases one in each 30 s, and a twentieth.
  EXPECT_NEAR(static_cast<double>(went[5].size()), 7, 1);
  EXPECT_NEAR(static_cast<double>(went[7].size()), 22, 2);
  EXPECT_GE(went[0].size(), 440U);
  for (std::size_t i = 6; i < went[7].size(); ++i) EXPECT_LE(went[7][i] - went[7][i - 6], 66s);
  EXPECT_LE(expected, start + 91s);
}

TEST_F(LimiterSchedule, WhereRequestsInFlightAreBoundedNoScopeStarvesEither) {
  settings.max_in_flight = 1;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  ASSERT_TRUE(goes_at_once(costing(10, 2, 0)));
  in = {1, "other"};
  know({.remaining = 60'000});
  auto const background = submit(costing(10, 1, 7));
  in = scope;
  auto flying = ticket_id{1};
  auto now = start;
  bool went = false;
  int between = 0;
  for (; now < start + 31s; now += 1s) {
    submit(costing(10, 2, 0), now);
    limiter.settle(flying, 10, std::nullopt, now);
    auto const next = released(now);
    ASSERT_EQ(next.size(), 1U);
    flying = next[0];
    went = went || flying == background;
    if (!went) ++between;
  }
  EXPECT_TRUE(went);
  EXPECT_GE(between, 30);
}

TEST_F(LimiterSchedule, WithoutAgeingUrgencyIsAllThatCounts) {
  settings.ageing = 0s;
  limiter.configure(settings, start);
  know({});
  auto const background = submit(costing(1000, 1, 7));
  know({}, start + 5min);
  auto const urgent = submit(costing(1000, 2, 6), start + 5min);
  EXPECT_EQ(released(start + 5min + 3s), (ids{urgent, background}));
}

TEST_F(LimiterSchedule, ClientsTakeTurns) {
  know({});
  ids heavy;
  for (int i = 0; i < 6; ++i) heavy.push_back(submit(costing(1000, 1)));
  auto const light = submit(costing(1000, 2));
  auto const light_too = submit(costing(1000, 2));
  EXPECT_EQ(released(start + 7s - 1ms), (ids{heavy[0], light, heavy[1], light_too, heavy[2], heavy[3]}));
}

TEST_F(LimiterSchedule, AWeightIsAShare) {
  know({});
  std::map<ticket_id, int> whose;
  for (int i = 0; i < 60; ++i) {
    auto facts = costing(1000, 1);
    facts.weight = 3;
    whose[submit(facts)] = 1;
    whose[submit(costing(1000, 2))] = 2;
  }
  std::map<int, int> count;
  for (auto const id : released(start + 41s)) ++count[whose.at(id)];
  EXPECT_NEAR(count[1], 30, 1);
  EXPECT_NEAR(count[2], 10, 1);
}

TEST_F(LimiterSchedule, WhoReservesMuchAndUsesLittleGetsItsShareOfWhatIsUsed) {
  know({.remaining = 60'000});
  std::map<ticket_id, int> whose;
  std::map<int, double> used;
  auto const another = [&](int client, time_point now) {
    whose[submit(costing(client == 1 ? 5000 : 500, static_cast<std::uint64_t>(client)), now)] = client;
  };
  auto const use = [&](ticket_id id, time_point now) {
    limiter.settle(id, 500, std::nullopt, now);
    used[whose.at(id)] += 500;
  };
  know({});
  for (int i = 0; i < 20; ++i) {
    another(1, start);
    another(2, start);
  }
  auto now = start;
  for (int i = 0; i < 600; ++i) {
    now += 500ms;
    for (auto const id : released(now)) {
      use(id, now);
      another(whose.at(id), now);
    }
  }
  EXPECT_GT(used[2], 50'000);
  EXPECT_NEAR(used[1] / used[2], 1, 0.1);
}

TEST_F(LimiterSchedule, WhoStopsItsStreamsPaysForWhatWasRelayed) {
  know({});
  std::map<ticket_id, int> whose;
  std::map<int, int> went;
  auto const another = [&](int client, time_point now) {
    whose[submit(costing(client == 1 ? 5000 : 500, static_cast<std::uint64_t>(client)), now)] = client;
  };
  for (int i = 0; i < 20; ++i) {
    another(1, start);
    another(2, start);
  }
  auto now = start;
  for (int i = 0; i < 600; ++i) {
    now += 500ms;
    for (auto const id : released(now)) {
      auto const client = whose.at(id);
      ++went[client];
      if (client == 1) {
        limiter.leave(id, now, 492);  // and eight of the input
      } else {
        limiter.settle(id, 500, std::nullopt, now);
      }
      another(client, now);
    }
  }
  EXPECT_GT(went[2], 100);
  EXPECT_NEAR(static_cast<double>(went[1]) / went[2], 1, 0.1);
}

TEST_F(LimiterSchedule, ARefusedTicketIsNextAmongClients) {
  know({.remaining = 2100});
  auto const mine = submit(costing(1000, 1));
  auto const other = submit(costing(1000, 2));
  EXPECT_EQ(limiter.in_flight(), 2U);
  for (int i = 0; i < 3; ++i) {
    submit(costing(1000, 1));
    submit(costing(1000, 3));
  }
  ASSERT_EQ(refuse(other, "", "token_quota_exceeded", start + 20ms).what, verdict::queue_again);
  ASSERT_EQ(refuse(mine, "", "token_quota_exceeded", start + 30ms).what, verdict::queue_again);
  EXPECT_EQ(limiter.standing_of(mine, start + 30ms)->position, 1U);
  EXPECT_EQ(released(start + 30s).front(), mine);
}

TEST_F(LimiterSchedule, AmongScopesTheMostUrgentGoesFirstWhereConcurrencyIsBounded) {
  settings.max_in_flight = 1;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  auto const running = submit(costing(10));
  auto const usual = submit(costing(10));
  in = {1, "other"};
  know({.remaining = 60'000});
  auto const urgent = submit(costing(10, 0, 1));
  EXPECT_TRUE(released(start).empty());
  limiter.settle(running, 10, std::nullopt, start);
  EXPECT_EQ(released(start), ids{urgent});
  limiter.settle(urgent, 10, std::nullopt, start);
  EXPECT_EQ(released(start), ids{usual});
}

// --- passing

class LimiterWindow : public LimiterSchedule {
 protected:
  LimiterWindow() {
    settings.quota.replenishment.reset();
    limiter.configure(settings, start);
    know({.remaining = 500, .reset = 30});
  }
};

TEST_F(LimiterWindow, ASmallTicketOfAnotherClientUsesWhatTheHeadCannot) {
  auto const large = submit(costing(10'000, 1));
  auto const small = submit(costing(100, 2));
  EXPECT_EQ(released(start + 1s), ids{small});
  EXPECT_EQ(when(large, start + 1s), start + 30100ms);  // not a moment later
}

TEST_F(LimiterWindow, ASmallTicketOfTheSameClientWaitsItsTurn) {
  submit(costing(10'000, 1));
  auto const small = submit(costing(100, 1));
  EXPECT_TRUE(released(start + 1s).empty());
  EXPECT_GE(when(small, start + 1s), start + 30s);
}

TEST_F(LimiterWindow, WhoPassesDoesNotGoAgainUntilTheRemainderIsUsed) {
  submit(costing(10'000, 1));
  ids small;
  for (int i = 0; i < 8; ++i) small.push_back(submit(costing(100, 2)));
  small.resize(5);
  EXPECT_EQ(released(start + 1s), small);
}

TEST_F(LimiterSchedule, NobodyPassesWhereThatWouldDelayTheHead) {
  know({.remaining = 500});
  auto const large = submit(costing(10'000, 1));
  auto const small = submit(costing(100, 2));
  EXPECT_TRUE(released(start + 1s).empty());
  EXPECT_EQ(released(start + 11s), (ids{large, small}));
}

TEST_F(LimiterSchedule, NobodyDelaysTheHeadByPassingInStaticWindows) {
  settings.quota.use_headers = false;
  settings.quota.tpm_limit = 1000;
  limiter.configure(settings, start);
  ASSERT_TRUE(goes_at_once(costing(500, 1)));
  auto const large = submit(costing(800, 3), start + 1s);
  // Small ones keep coming: the window would never be free enough.
  for (auto now = start + 2s; now < start + 60s; now += 1s) {
    submit(costing(100, 2), now);
    released(now);
  }
  EXPECT_EQ(when(large, start + 60s), start + 61s);  // a window, and the slot that it is counted in
}

TEST_F(LimiterSchedule, InStaticWindowsWhatDoesNotDelayTheHeadMayPass) {
  settings.quota.use_headers = false;
  settings.quota.tpm_limit = 1000;
  limiter.configure(settings, start);
  ASSERT_TRUE(goes_at_once(costing(500, 1)));
  auto const large = submit(costing(800, 3), start + 1s);
  auto const small = submit(costing(150, 2), start + 1s);
  EXPECT_EQ(released(start + 1s), ids{small});
  EXPECT_EQ(when(large, start + 1s), start + 61s);
}

// --- plans

TEST_F(LimiterSchedule, TellsWhereATicketStands) {
  know({.remaining = 1000});
  auto const gone = submit(costing(990, 1));
  ids waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(submit(costing(1000, 1)));
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    auto const s = limiter.standing_of(waiting[i], start);
    ASSERT_TRUE(s);
    EXPECT_EQ(s->position, i + 1);
    auto const due = start + std::chrono::seconds{i + 1};
    EXPECT_GE(s->expected, due - 100ms);
    EXPECT_LE(s->expected, due + 200ms);
  }
  EXPECT_FALSE(limiter.standing_of(gone, start));
  EXPECT_FALSE(limiter.standing_of(12'345, start));
  limiter.leave(waiting[0], start);
  EXPECT_FALSE(limiter.standing_of(waiting[0], start));
  EXPECT_EQ(limiter.standing_of(waiting[1], start)->position, 1U);
}

TEST_F(LimiterSchedule, ThePlanIsWhatHappens) {
  know({});
  settings.ageing = 0s;
  limiter.configure(settings, start);
  ids waiting;
  for (int i = 0; i < 30; ++i)
    waiting.push_back(
        submit(costing(500 + 100 * (i % 7), static_cast<std::uint64_t>(i % 3), static_cast<std::uint8_t>(i % 2))));
  auto const report = limiter.report(start).front().waiting;
  ASSERT_EQ(report.size(), waiting.size());
  // In the order, and about at the times, that were foretold.
  auto now = start;
  for (auto const& w : report) {
    ids went;
    while (went.empty()) went = released(now = *limiter.next_deadline(now));
    ASSERT_EQ(went, ids{w.id});
    EXPECT_NEAR(seconds_of(now - start), seconds_of(w.expected_in.value()), 0.3);
    EXPECT_EQ(w.waited, 0s);
  }
}

TEST_F(LimiterSchedule, AnUrgentTicketStandsBeforeTheOthers) {
  know({});
  for (int i = 0; i < 10; ++i) submit(costing(1000, 1));
  auto const d = limiter.submit(costing(1000, 2, 0), start);
  EXPECT_EQ(std::get<queued>(d).position, 1U);
  EXPECT_LE(std::get<queued>(d).expected, start + 1200ms);
}

// --- limits of single models

TEST_F(LimiterSchedule, AModelHasItsOwnLimits) {
  settings.models["m"].limit[{resource::requests, window::day}] = 100;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  EXPECT_NEAR(count_at_once(200), 100, 1);  // of the last a hundredth may be missing
  EXPECT_LE(count_at_once(10, start + 1min), 1);
  auto const beyond = limiter.submit(costing(10), start + 1min);
  ASSERT_TRUE(std::holds_alternative<refused>(beyond));
  EXPECT_EQ(std::get<refused>(beyond).why, reason::queue_timeout);
  EXPECT_NEAR(seconds_of(*std::get<refused>(beyond).retry_after), 864, 100);  // a hundred a day
  in = {1, "other"};
  know({.remaining = 60'000});
  EXPECT_EQ(count_at_once(200), 200);
}

TEST_F(LimiterSchedule, AModelsTokensAnHourAreKept) {
  settings.models["m"].limit[{resource::tokens, window::hour}] = 10'000;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  EXPECT_TRUE(goes_at_once(costing(9000)));
  auto facts = costing(5000);
  facts.max_wait = 1h;
  auto const second = submit(facts);
  EXPECT_NEAR(seconds_of(when(second, start) - start), 4000 / 10'000.0 * 3600, 60);
}

TEST_F(LimiterSchedule, AModelsLimitsReplaceTheGeneralOnes) {
  settings.quota.limits.limit[{resource::requests, window::day}] = 20;
  settings.models["m"].limit[{resource::requests, window::day}] = 50;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  EXPECT_NEAR(count_at_once(100), 50, 1);
  in = {1, "other"};
  know({.remaining = 60'000});
  EXPECT_NEAR(count_at_once(100), 20, 1);
}

// --- what refusals teach

TEST_F(LimiterSchedule, RefusalsPerSecondSpaceReleasesOut) {
  know({.remaining = 60'000});
  // The provider admits five within any second.
  constexpr std::size_t truth = 5;
  std::deque<time_point> within;
  int refusals = 0;
  int refusals_late = 0;
  std::size_t admitted = 0;
  std::vector<std::pair<time_point, ticket_id>> told;  // refused, but we hear of it later
  auto const meet = [&](ticket_id id, time_point now) {
    while (!within.empty() && within.front() + 1s <= now) within.pop_front();
    if (within.size() >= truth) {
      ++refusals;
      if (admitted > 100) ++refusals_late;
      told.emplace_back(now + 60ms, id);
      return;
    }
    within.push_back(now);
    ++admitted;
    answer(id, {.remaining = 59'000}, now);
    limiter.settle(id, 10, std::nullopt, now);
  };
  auto now = start;
  constexpr std::size_t wanted = 200;
  for (std::size_t i = 0; i < wanted; ++i) {
    auto const d = limiter.submit(costing(10), now);
    if (auto const* const g = std::get_if<go>(&d)) meet(g->id, now);
  }
  while (admitted < wanted && now < start + 5min) {
    now += 5ms;
    for (; !told.empty() && told.front().first <= now; told.erase(told.begin()))
      ASSERT_EQ(refuse(told.front().second, "Requests per second limit exceeded", "request_quota_exceeded", now).what,
                verdict::queue_again);
    for (auto const id : released(now)) meet(id, now);
  }
  EXPECT_EQ(admitted, wanted);
  EXPECT_LE(now - start, 75s);        // forty would be perfect
  EXPECT_LE(refusals, 200 - 5 + 15);  // all that went at once, and a few to find out
  EXPECT_EQ(refusals_late, 0);        // by then it knows
}

TEST_F(LimiterSchedule, SpacingWearsOff) {
  know({.remaining = 60'000});
  auto const first = submit(costing(10));
  auto const second = submit(costing(10));
  refuse(second, "Requests per second limit exceeded", "request_quota_exceeded", start);
  limiter.settle(first, 10, std::nullopt, start);
  auto now = start + 10s;
  for (auto const id : released(now)) limiter.settle(id, 10, std::nullopt, now);
  auto const both = [&] { return count_at_once(2, now) == 2; };
  EXPECT_FALSE(both());
  int tries = 0;
  while (tries < 1000 && !both()) {
    now += 61s;
    ++tries;
  }
  EXPECT_GT(tries, 9);    // not soon
  EXPECT_LT(tries, 180);  // but within some hours
}

TEST_F(LimiterSchedule, IntoTheDarkGoNoMoreThanFourAtOnce) {
  ids sent;
  for (int i = 0; i < 12; ++i) sent.push_back(submit(costing(10)));
  EXPECT_EQ(limiter.in_flight(), 4U);
  EXPECT_TRUE(released(start + 249ms).empty());
  EXPECT_EQ(released(start + 250ms).size(), 4U);  // a refusal would have come by now
  EXPECT_TRUE(released(start + 300ms).empty());
  answer(sent[0], {.remaining = 59'000}, start + 300ms);
  EXPECT_EQ(released(start + 300ms).size(), 4U);  // now it is known
}

TEST_F(LimiterSchedule, AFullQueueAtAColdStartIsNotRefused) {
  for (int i = 0; i < 100; ++i) EXPECT_NE(submit(costing(5000)), 0U);
  EXPECT_EQ(limiter.queue_length() + limiter.in_flight(), 100U);
}

TEST_F(LimiterSchedule, RequestsAMinuteAreLearnedFromRefusals) {
  settings.quota.rpm_limit = 100;
  limiter.configure(settings, start);
  // The provider's bucket: 20 a minute, of which no header speaks.
  constexpr double truth = 20;
  double level = truth;
  auto refilled = start;
  int admitted = 0;
  int refusals = 0;
  auto const meet = [&](ticket_id id, time_point now) {
    level = std::min(truth, level + truth * seconds_of(now - refilled) / 60);
    refilled = now;
    if (level < 1) {
      ++refusals;
      EXPECT_EQ(refuse(id, "Requests per minute limit exceeded", "request_quota_exceeded", now).what,
                verdict::queue_again);
      return;
    }
    level -= 1;
    ++admitted;
    answer(id, {.remaining = 59'000}, now);
    limiter.settle(id, 10, std::nullopt, now);
  };
  auto now = start;
  constexpr int minutes = 30;
  while (now < start + minutes * 1min) {
    now += 20ms;
    auto facts = costing(10);
    facts.max_wait = 3h;
    for (auto const id : released(now)) meet(id, now);
    if (limiter.queue_length() < 5) {
      auto const d = limiter.submit(facts, now);
      if (auto const* const g = std::get_if<go>(&d)) meet(g->id, now);
    }
  }
  EXPECT_GE(admitted, 0.8 * truth * minutes);
  EXPECT_LE(refusals, minutes);
  auto const b = budget_of(resource::requests, window::minute, now);
  ASSERT_TRUE(b);
  EXPECT_NEAR(b->limit, truth, 0.3 * truth);
}

TEST_F(LimiterSchedule, ARemainingBeyondTheLimitIsASecondBucket) {
  know({.limit = 1000, .remaining = 3000});
  auto const total = budget_of(resource::total_tokens, window::minute, start);
  ASSERT_TRUE(total);
  EXPECT_EQ(total->limit, 3000);
  EXPECT_EQ(total->level, 3000);
  // The main bucket is not shown: until a refusal speaks of it, the total decides.
  EXPECT_TRUE(goes_at_once(costing(900)));
  EXPECT_TRUE(goes_at_once(costing(900)));
  EXPECT_TRUE(goes_at_once(costing(900)));
  EXPECT_FALSE(goes_at_once(costing(900)));
}

TEST_F(LimiterSchedule, OneAbsurdRemainingChangesNothing) {
  know({.remaining = 50'000});
  know({.remaining = 1'000'000});
  know({.remaining = 50'000});
  EXPECT_FALSE(budget_of(resource::total_tokens, window::minute, start));
  EXPECT_NEAR(budget_of(resource::tokens, window::minute, start)->level, 50'000, 100);
}

TEST_F(LimiterSchedule, ALittleBeyondTheLimitIsTheSameBucket) {
  know({.limit = 1000, .remaining = 1020});
  EXPECT_FALSE(budget_of(resource::total_tokens, window::minute, start));
}

TEST_F(LimiterSchedule, ARefusalThatNamesUncachedTokensIsBelieved) {
  fields const f{.remaining = 59'000, .hour_limit = 100'000, .hour_remaining = 250'000};
  know(f);
  for (int i = 0; i < 3; ++i) {
    auto const id = submit(costing(5000));
    answer(id, {.remaining = 50'000, .hour_limit = 100'000, .hour_remaining = 240'000}, start + 1s);
    limiter.settle(id, 5000, std::nullopt, start + 1s);
  }
  auto facts = costing(5000);
  facts.max_wait = 1h;
  auto const id = submit(facts, start + 2s);
  EXPECT_EQ(limiter.queue_length(), 0U);
  EXPECT_EQ(refuse(id, "Uncached tokens per hour limit exceeded - too many tokens processed.", "token_quota_exceeded",
                   start + 2s + 50ms)
                .what,
            verdict::queue_again);
  // Of 100,000 an hour 5000 take three minutes.
  auto const again = when(id, start + 3s);
  EXPECT_GE(again, start + 2min);
  EXPECT_LE(again, start + 4min);
}

TEST_F(LimiterSchedule, ARefusalThatNamesTotalTokensMakesABucketOfThem) {
  know({.limit = 1000, .remaining = 1000});
  auto const id = submit(costing(500));
  EXPECT_FALSE(budget_of(resource::total_tokens, window::minute, start));
  EXPECT_EQ(refuse(id, "Total tokens per minute limit exceeded", "token_quota_exceeded", start + 10ms).what,
            verdict::queue_again);
  auto const total = budget_of(resource::total_tokens, window::minute, start + 10ms);
  ASSERT_TRUE(total);
  EXPECT_EQ(total->limit, 3000);
}

TEST_F(LimiterSchedule, RepeatedLoadIsAskedLessAndLessOften) {
  know({.remaining = 60'000});
  auto const id = submit(costing(10));
  auto now = start;
  auto previous = 0s + duration{};
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(refuse(id, "", "queue_exceeded", now).what, verdict::queue_again);
    auto const again = when(id, now);
    EXPECT_GT(again - now, previous);
    previous = again - now;
    now = again;
  }
  EXPECT_GE(previous, 32s);
  EXPECT_LE(previous, 40s);
}

// --- pinned

TEST_F(LimiterSchedule, APinnedReplenishmentIsKept) {
  for (auto const pinned : {refill::continuous, refill::window, refill::sliding}) {
    settings.quota.replenishment = pinned;
    cerebras_limiter other(settings);
    with_headers({.remaining = 30'000, .reset = 17},
                 [&](header_view h) { other.update_from_headers(scope, h, start, wall); });
    auto now = start;
    for (int i = 0; i < 20; ++i) {
      now += 1s;
      auto const d = other.submit(costing(1000), now);
      auto const* const g = std::get_if<go>(&d);
      if (!g) break;
      other.observe(
          g->id, {.status = 429, .headers = {}, .error = {.message = "", .type = "", .code = "token_quota_exceeded"}},
          now, wall + (now - start));
      other.leave(g->id, now);
    }
    auto const report = other.report(now);
    for (auto const& b : report.front().budgets) {
      EXPECT_EQ(b.model, pinned);
      EXPECT_TRUE(b.confirmed);
    }
  }
}

TEST_F(LimiterSchedule, APinnedWindowReleasesAtItsEnd) {
  settings.quota.replenishment = refill::window;
  limiter.configure(settings, start);
  know({.remaining = 100, .reset = 20});
  EXPECT_EQ(when(submit(costing(5000)), start), start + 20100ms);
}

TEST_F(LimiterSchedule, APinnedSlidingWindowReleasesWhatWasTakenOneWindowLater) {
  settings.quota.replenishment = refill::sliding;
  limiter.configure(settings, start);
  know({.remaining = 60'000});
  ASSERT_TRUE(goes_at_once(costing(40'000), start));
  ASSERT_TRUE(goes_at_once(costing(19'000), start + 30s));
  auto const again = when(submit(costing(39'000), start + 31s), start + 31s);
  EXPECT_GE(again, start + 60s);
  EXPECT_LE(again, start + 61s);
}

}  // namespace
}  // namespace cooldown
