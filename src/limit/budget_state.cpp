// A limit kept over a restart: restored as it was at the moment of saving, and then time goes on as it always does.
#include <algorithm>
#include <cmath>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

constexpr double most_units = 1e15;
// A remaining so many times the limit would take longer to come back than times can tell.
constexpr double longest_seconds = 8e9;

// A provider may have named a time to come again in place of a reset.
constexpr duration longest_pause = oldest_age;

constexpr unsigned most_rounds = 1'000'000;

}  // namespace

learned_limit budget::save(time_point now) {
  advance(now);
  return {.id = {},
          .limit = limit_,
          .highest = highest_,
          .reported = reported_,
          .shown = shown_,
          .shown_by_answers = answers_show_,
          .told_at = age_of(told_at_, now),
          .shown_at = now - shown_at_,
          .taken_at = age_of(taken_at_, now),
          .level = levels_.level(),
          .spent = log_.parts(now),
          .margin = margin_,
          .gone = gone_,
          .gone_at = age_of(gone_at_, now),
          .rounds = rounds_,
          .belief = static_cast<std::uint8_t>(belief_),
          .drift = drift_,
          .announced = announced_,
          .reset_votes = continuous_votes_,
          .reset_at = age_of(reset_at_, now),
          .window_start = now - window_start_,
          .spent_since_reset = taken_since_reset(),
          .assumed = assumed_,
          .probed_at = age_of(probed_at_, now),
          .phase = phase_,
          .suspected_at = age_of(suspicion_.since, now),
          .suspected_level = suspicion_.level,
          .suspected_refunds = suspicion_.refunds,
          .spent_since_suspected = spent_ - suspicion_.spent,
          .refused_tests = test_.refusals(),
          .next_test = age_of(test_.not_before(), now),
          .hidden = hidden_.save(spent_, now)};
}

/// Everything that was sent before the restart counts as spent, until a header tells otherwise.
bool budget::restore(const learned_limit& s, time_point saved) {
  learned_reader read(saved);
  auto const& settings = settings_;
  budget b(read.number(s.limit, 1, most_units), window_, refill::continuous, saved, settings);
  b.wall_offset_ = wall_offset_;
  b.highest_ = std::min(read.number(s.highest, 0, most_units), b.limit_ * longest_seconds / seconds_of(window_));
  b.reported_ = s.reported;
  b.shown_ = s.shown;
  b.answers_show_ = s.shown_by_answers;
  b.told_at_ = read.past(s.told_at);
  b.shown_at_ = read.past(s.shown_at);
  b.taken_at_ = read.past(s.taken_at);
  b.levels_.restart(std::min(b.capacity(), read.number(s.level, -most_units, most_units)));
  if (!b.log_.restore(s.spent, saved)) return false;
  b.margin_ = read.number(s.margin, 0, most_units);
  b.gone_ = read.number(s.gone, 0, most_units);
  b.gone_at_ = read.past(s.gone_at);
  b.rounds_ = read.count(s.rounds, most_rounds);
  b.belief_ = static_cast<belief>(read.count(s.belief, belief_count - 1));
  b.drift_ = read.number(s.drift, 0, most_units);
  b.announced_ = s.announced;
  b.continuous_votes_ = read.count(s.reset_votes, most_rounds);
  b.reset_at_ = read.perhaps(s.reset_at, std::max(window_, longest_pause));
  b.window_start_ = read.past(s.window_start);
  b.spent_at_reset_ = -read.number(s.spent_since_reset, -most_units, most_units);
  b.assumed_ = b.unjudged_ = s.assumed;
  b.probed_at_ = read.perhaps(s.probed_at, {});
  b.phase_ = read.length(s.phase, window_);
  b.suspicion_ = {.since = read.past(s.suspected_at),
                  .level = read.number(s.suspected_level, -most_units, most_units),
                  .spent = -read.number(s.spent_since_suspected, -most_units, most_units),
                  .refunds = read.number(s.suspected_refunds, -most_units, most_units)};
  b.test_.restore(read.count(s.refused_tests, most_rounds), read.moment(s.next_test, oldest_age));
  if (!read.sane() || !b.hidden_.restore(s.hidden, saved)) return false;
  auto const configured = hidden_.configured();
  auto const was_configured = !s.reported && !s.hidden.guessed;
  *this = std::move(b);
  // What the configuration says now holds.
  if (was_configured) set_limit(configured);
  configure(settings_);
  return true;
}

}  // namespace cooldown
