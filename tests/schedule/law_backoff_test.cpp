// After a refusal nothing is sent before our own backoff ends, and a later success ends the refusal's effects.
#include <algorithm>
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "cooldown/dialect/refusal.hpp"

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;
using bench::call_ptr;

constexpr duration quota_step = 500ms;
constexpr duration unlucky_step = 100ms;  // the first for load
constexpr duration load_step = 1s;
constexpr unsigned most_doublings = 5;

/// The least that is waited after the n-th in a row.
duration backoff_of(duration step, unsigned n) {
  return step * (1U << std::min(n > 0 ? n - 1 : 0, most_doublings));
}

class patience final : public watch {
 public:
  void starts(cerebras_limiter& of, bench::surroundings& world) override {
    watch::starts(of, world);
    models_.clear();
    calls_.clear();
  }

  void sends(const call_ptr& c, time_point now) override {
    auto const& m = models_[c->model];
    auto& own = calls_[c->serial];
    // The exchange repeats what failed otherwise, without asking.
    if (std::exchange(own.repeats, false)) return;
    own.released = now;
    if (now < m.until) breach(now, "sent " + text(m.until - now) + " too soon after a refusal");
    if (now < own.until) breach(now, "sent " + text(own.until - now) + " too soon after its refusal for load");
  }

  void submits(const call_ptr& c, time_point /*now*/) override { calls_.erase(c->serial); }

  void refuses(const call_ptr& c, const bench::refusal& why, time_point now) override {
    if (why.status != 429) {
      calls_[c->serial].repeats = true;
      return;
    }
    auto const fields = bench::view(why.headers);
    auto const what =
        classify_refusal({why.error.message, why.error.type, why.error.code}, fields, world_now->wall()).what;
    if (what == refusal::kind::incurable) return;
    auto& m = models_[c->model];
    m.last_of_any = now;
    if (what == refusal::kind::load) {
      auto& own = calls_[c->serial];
      own.until = now + (++own.refusals == 1 ? unlucky_step : backoff_of(load_step, own.refusals));
      return;
    }
    if (calls_[c->serial].released >= m.last_refusal) {
      ++m.rounds;
      m.last_refusal = now;
    }
    m.until = std::max(m.until, now + backoff_of(quota_step, m.rounds));
  }

  void admits(const call_ptr& c, time_point now) override {
    auto& m = models_[c->model];
    auto const released = calls_[c->serial].released;
    if (released >= m.last_refusal) m.rounds = 0;
    if (released < m.last_of_any) return;
    for (auto const& s : limiter->report(now, 0)) {
      if (s.model != (c->model == 0 ? "m" : "n")) continue;
      if (s.held_by == constraint::provider_pause || (s.held_by == constraint::recovery && now >= m.until))
        breach(now, std::string("a success, and still held by ") + name_of(s.held_by));
    }
  }

 private:
  struct of_model {
    unsigned rounds = 0;
    time_point last_refusal{};
    time_point last_of_any{};
    time_point until{};
  };
  struct of_call {
    time_point released{};
    bool repeats = false;   // its next sending is no release
    unsigned refusals = 0;  // for load
    time_point until{};
  };
  static std::string text(duration d) { return std::to_string(seconds_of(d)) + " s"; }

  std::map<int, of_model> models_;
  std::map<std::uint64_t, of_call> calls_;
};

TEST(LawOfBackoff, NothingIsSentSoonerAfterARefusalThanOurOwnBackoffAllowsAndASuccessEndsIt) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(20); seed < last; ++seed) {
    auto const w = random_workload(seed);
    patience eyes;
    run_watched(w, seed, eyes);
    EXPECT_TRUE(eyes.breaches.empty()) << line_about(w, seed) << "\n  " << eyes.breaches.front();
  }
}

}  // namespace
}  // namespace cooldown::testing
