// Every belief can be refuted: whatever has happened, a request that the provider would admit is tried soon.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "support/random_world.hpp"

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;
using bench::call_ptr;

/// Of each model: since when somebody has wanted what the provider would have admitted, while nothing was sent.
class silence final : public watch {
 public:
  void submits(const call_ptr& c, time_point now) override {
    auto& line = of(c);
    if (line.quiet_since == time_point{}) line.quiet_since = now;
    line.wanted[c->serial] = {c, now + forgotten_after};
  }
  void turns_away(const call_ptr& c, bool /*submitting*/, bool /*retry_helps*/, time_point now) override {
    of(c).wanted[c->serial] = {c, now + asked_again_within};
  }
  void sends(const call_ptr& c, time_point now) override {
    auto& line = of(c);
    line.wanted.erase(c->serial);
    line.flying[c->serial] = {c, now};
    line.quiet_since = now;
  }
  void refuses(const call_ptr& c, const bench::refusal& /*why*/, time_point now) override {
    auto& line = of(c);
    line.flying.erase(c->serial);
    line.wanted[c->serial] = {c, now + forgotten_after};
    if (!line.refusing_since) line.refusing_since = now;
  }
  void admits(const call_ptr& c, time_point /*now*/) override {
    auto& line = of(c);
    auto const found = line.flying.find(c->serial);
    bool const sent_since = found != line.flying.end() && line.refusing_since <= found->second.sent;
    if (sent_since) line.refusing_since.reset();
  }
  void ends(const call_ptr& c, time_point now) override {
    auto& line = of(c);
    line.wanted.erase(c->serial);
    if (line.flying.erase(c->serial) > 0) line.quiet_since = now;
  }
  void starts(cerebras_limiter& of, bench::surroundings& world) override {
    watch::starts(of, world);
    lines_.clear();
  }
  void ticks(time_point now) override {
    for (auto& [model, line] : lines_) look(line, now);
  }

 private:
  static constexpr duration asked_again_within = 62s;  // by an SDK that is told a minute
  static constexpr duration forgotten_after = 24h;
  static constexpr int jittered_part = 4;  // pauses are lengthened by so much at most
  static constexpr duration between_looks = 5s;
  struct wish {
    call_ptr who;
    time_point until;
  };
  struct flight {
    call_ptr who;
    time_point sent;
  };
  struct line_of_model {
    std::map<std::uint64_t, wish> wanted;
    std::map<std::uint64_t, flight> flying;
    time_point quiet_since{};
    std::optional<time_point> refusing_since;
  };
  line_of_model& of(const call_ptr& c) { return lines_[c->model]; }

  bool would_admit_all(line_of_model& line, time_point now) {
    std::erase_if(line.wanted, [&](auto const& w) { return w.second.who->over || w.second.until <= now; });
    std::erase_if(line.flying, [](auto const& f) { return f.second.who->over; });
    return !line.wanted.empty() && line.flying.empty() &&
           std::all_of(line.wanted.begin(), line.wanted.end(), [&](auto const& w) {
             auto const when = world_now->admissible_at(w.second.who);
             return when && *when <= now;
           });
  }

  /// The silence may double while the provider refuses: it is no longer than that has lasted.
  void look(line_of_model& line, time_point now) {
    if (!would_admit_all(line, now)) line.quiet_since = now;
    duration most = 2 * snapshot_lifetime;
    if (line.refusing_since) most = std::max(most, line.quiet_since - *line.refusing_since);
    most += most / jittered_part + between_looks;
    if (now - line.quiet_since <= most) return;
    breach(now, "nothing was sent for " + std::to_string(seconds_of(now - line.quiet_since)) + " s");
    line.quiet_since = now;
  }

  std::map<int, line_of_model> lines_;
};

/// Beliefs that nothing but a request can refute.
void mislead(bench::workload& w, unsigned seed) {
  auto& p = w.provider;
  w.length = 90min;
  switch (seed % 4) {
    case 0:  // a day that is used up, and an upgrade
      p.limits.tpd = 200'000;
      p.spent = {{*sim::limit_id_of("tpd"), 1}};
      p.changes = {{.at = 0.1, .factor = 5}};
      break;
    case 1:  // a pause of a day, for a minute's limit
      p.retry_after = "86400";
      p.refusals = sim::refusal_style::generic;
      p.headers = sim::header_style::none;
      p.spent = {{*sim::limit_id_of("tpm"), 1}, {*sim::limit_id_of("rpm"), 1}};
      break;
    case 2:  // an hour that resets when no hour does
      p.limits.rph = 40;
      p.headers = sim::header_style::all_resets;
      p.reset_says = 24h * 40;
      break;
    default:
      break;
  }
}

TEST(LawOfSilence, WhatTheProviderWouldAdmitIsTriedSoonWhateverHasBeen) {
  for (unsigned seed = first_law_seed(), last = seed + law_cases(12); seed < last; ++seed) {
    auto w = random_workload(seed);
    w.length = std::max<duration>(w.length, 30min);
    mislead(w, seed);
    silence eyes;
    run_watched(w, seed, eyes);
    EXPECT_TRUE(eyes.breaches.empty()) << line_about(w, seed) << "\n  " << eyes.breaches.front();
  }
}

}  // namespace
}  // namespace cooldown::testing
