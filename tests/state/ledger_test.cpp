// Figures of finished requests by minute, destination, model, client and outcome.
#include "cooldown/state/ledger.hpp"

#include <gtest/gtest.h>

using namespace cooldown;
using namespace cooldown::state;
using namespace std::chrono_literals;

namespace {

constexpr wall_time noon{std::chrono::hours{12}};

observe::access_record request(unsigned status = 200) {
  observe::access_record r;
  r.who = "ada";
  r.model = "m";
  r.status = status;
  r.cost = 500;
  r.tokens = 120;
  r.prompt_tokens = 100;
  r.cached_tokens = 60;
  r.completion_tokens = 20;
  return r;
}

double of(const figures& f, figure which) {
  return f[static_cast<std::size_t>(which)];
}

}  // namespace

TEST(Ledger, AddsUpTheRequestsOfAMinute) {
  ledger l;
  l.record(request(), "cerebras", noon + 1s);
  auto waited = request();
  waited.waited = 7;
  waited.upstream_refusals = 2;
  l.record(waited, "cerebras", noon + 59s);
  l.record(request(), "cerebras", noon + 60s);
  auto const rows = l.take();
  ASSERT_EQ(rows.size(), 2U);
  auto const& [key, amounts] = *rows.begin();
  EXPECT_EQ(key, (usage_key{43'200, "cerebras", "m", "ada", "answered"}));
  EXPECT_EQ(of(amounts, figure::requests), 2);
  EXPECT_EQ(of(amounts, figure::tokens), 240);
  EXPECT_EQ(of(amounts, figure::cached_tokens), 120);
  EXPECT_EQ(of(amounts, figure::reserved_tokens), 1'000);
  EXPECT_EQ(of(amounts, figure::upstream_refusals), 2);
  EXPECT_EQ(of(amounts, figure::waited), 1);
  EXPECT_EQ(of(amounts, figure::wait_seconds), 7);
  EXPECT_EQ(of(amounts, figure::waits_within_15s), 1);
  EXPECT_EQ(of(amounts, figure::waits_within_5s), 0);
  EXPECT_TRUE(l.take().empty()) << "nothing is counted twice";
}

TEST(Ledger, TellsOutcomesApart) {
  ledger l;
  l.record(request(), "u", noon);
  auto refused = request(503);
  refused.reason = "queue_full";
  l.record(refused, "u", noon);
  auto gone = request();
  gone.gone = true;
  l.record(gone, "u", noon);
  auto cut = request();
  cut.complete = false;
  l.record(cut, "u", noon);
  l.record(request(404), "u", noon);
  std::string outcomes;
  for (auto const& [key, amounts] : l.take()) outcomes += key.outcome + ' ';
  EXPECT_EQ(outcomes, "answered client_gone cut error queue_full ");
}

TEST(Ledger, KnowsWhereARequestWasSent) {
  ledger l;
  auto elsewhere = request();
  elsewhere.to = "groq";
  l.record(elsewhere, "cerebras", noon);
  EXPECT_EQ(l.take().begin()->first.upstream, "groq");
}

TEST(Ledger, LeavesOutWhatCountsAgainstNoQuota) {
  ledger l;
  auto models = request();
  models.who.clear();
  l.record(models, "u", noon);
  EXPECT_TRUE(l.take().empty());
}

TEST(Ledger, IsBoundedWhateverNamesClientsChoose) {
  ledger l;
  for (int i = 0; i < 10'000; ++i) {
    auto r = request();
    r.who = std::to_string(i) + std::string(1'000, 'x');
    l.record(r, "u", noon);
  }
  auto const rows = l.take();
  EXPECT_LE(rows.size(), 4'097U);
  double requests = 0;
  for (auto const& [key, amounts] : rows) {
    EXPECT_LE(key.client.size(), 128U);
    requests += of(amounts, figure::requests);
  }
  EXPECT_EQ(requests, 10'000) << "names are lost, figures are not";
}
