#include <algorithm>

#include "cooldown/limit/hidden_limit.hpp"

namespace cooldown {
namespace {

constexpr double most_units = 1e15;
constexpr unsigned most_climbs = 1'000;
constexpr int steadfast_windows = 20;

}  // namespace

/// `spent`: as in `meeting`, at the moment of saving.
learned_hidden_limit hidden_limit::save(double spent, time_point now) const {
  return {.configured = configured_,
          .value = std::min(value_, most_units),  // of a limit that headers tell it may climb without end
          .guessed = guessed_,
          .told = told_,
          .measured = measured_,
          .born = now - born_,
          .met_at = age_of(met_at_, now),
          .dry_since = age_of(dry_since_, now),
          .dry_until = age_of(dry_until_, now),
          .empty_at = age_of(empty_at_, now),
          .first_at = age_of(first_at_, now),
          .tried_at = age_of(tried_at_, now),
          .lowered_at = age_of(lowered_at_, now),
          .steadfast_until = age_of(steadfast_until_, now),
          .in_vain = in_vain_,
          .dried = dried_,
          .lowered_early = lowered_early_,
          .spent_since_empty = spent - spent_at_empty_,
          .spent_since_run = spent - spent_at_run_,
          .spent_since_first = spent - spent_at_first_,
          .owed = owed_,
          .failed_repayments = failed_repayments_,
          .step = step_,
          .held = held_ ? std::optional{std::min(*held_, most_units)} : std::nullopt,
          .failed_climbs = failed_climbs_,
          .lowered_from = lowered_from_,
          .seen_then = seen_then_};
}

bool hidden_limit::restore(const learned_hidden_limit& s, time_point saved) {
  learned_reader read(saved);
  hidden_limit h(read.number(s.configured, 1e-9, most_units), window_, read.past(s.born));
  h.value_ = read.number(s.value, 1e-9, most_units);
  h.guessed_ = s.guessed;
  h.told_ = s.told;
  h.measured_ = s.measured;
  h.met_at_ = read.perhaps(s.met_at, {});
  h.dry_since_ = read.perhaps(s.dry_since, {});
  h.dry_until_ = read.moment(s.dry_until, window_);
  h.empty_at_ = read.perhaps(s.empty_at, {});
  h.first_at_ = read.perhaps(s.first_at, {});
  h.tried_at_ = read.past(s.tried_at);
  h.lowered_at_ = read.perhaps(s.lowered_at, {});
  h.steadfast_until_ = read.perhaps(s.steadfast_until, steadfast_windows * window_);
  h.in_vain_ = s.in_vain && h.met_at_ && h.dry_since_;
  h.dried_ = s.dried;
  h.lowered_early_ = s.lowered_early;
  h.spent_at_empty_ = -read.number(s.spent_since_empty, -most_units, most_units);
  h.spent_at_run_ = -read.number(s.spent_since_run, -most_units, most_units);
  h.spent_at_first_ = -read.number(s.spent_since_first, -most_units, most_units);
  h.owed_ = read.number(s.owed, -most_units, most_units);
  h.failed_repayments_ = read.count(s.failed_repayments, most_failed_repayments);
  h.step_ = read.number(s.step, 0, 1);
  if (s.held) h.held_ = read.number(*s.held, 1e-9, most_units);
  h.failed_climbs_ = read.count(s.failed_climbs, most_climbs);
  h.lowered_from_ = read.number(s.lowered_from, 0, most_units);
  h.seen_then_ = read.number(s.seen_then, 0, most_units);
  if (read.sane()) *this = h;
  return read.sane();
}

}  // namespace cooldown
