// How a limit refills, and how large one is that no header reports: what headers and refusals teach
// (docs/decisions/008-learned-refill.md).
#include <algorithm>
#include <cmath>
#include <utility>

#include "cooldown/limit/budget.hpp"

namespace cooldown {
namespace {

// How many resets in a row must equal (limit - remaining) / rate before we believe that refill is continuous: one may
// do so by chance in any window, three hardly ever.
constexpr unsigned votes_needed = 3;

// Resets of whole seconds change once a second; those of windows that are used up at once may be the same in a few.
constexpr duration coarsest_reset = std::chrono::milliseconds{1100};
constexpr std::uint32_t standing_windows = 3;

// Of the limit: the most that is kept unspent after refusals.
constexpr double most_margin = 0.25;
constexpr double first_margin = 0.25;  // of the cost that was refused; half as much again each time

// Refused in so many rounds, windows on end, it does not slide: somebody else's use had looked like that.
constexpr unsigned most_rounds = 3;

// So many requests more than a log would have are no error of times or costs; that is remembered for so many windows.
constexpr double far_more = 3;
constexpr int log_memory = 60;

// Of the rate: so much refill shows that it comes back by and by. Where it slides, the log may be wrong by some.
constexpr double least_refill = 0.25;
constexpr double sliding_error = 0.5;

// So much more is taken to be missing with each refusal, until that is forgotten.
constexpr double more_gone = 4;

// A window that has not ended when the clock says so is asked again so much later.
constexpr duration late_step = std::chrono::milliseconds{500};

// Of the limit: predictions nearer to each other than this are taken for the same.
constexpr double tolerated = 0.1;

// Doubles of this size add up in the 12th digit.
constexpr double epsilon = 1e-6;

/// Some providers show thousands only.
double step_of(const limit_snapshot& s) {
  constexpr std::uint64_t thousand = 1'000;
  return *s.limit % thousand == 0 && *s.remaining % thousand == 0 ? static_cast<double>(thousand) : 1.0;
}

}  // namespace

/// Votes with hysteresis: three resets in a row that equal the time to full make a bucket of it, three that don't
/// unmake it.
void budget::vote(const limit_snapshot& s, time_point sent, bool charged) {
  if (is_pinned(belief_) || !s.remaining || !s.limit || *s.remaining >= *s.limit) return;
  double const to_full = static_cast<double>(*s.limit - *s.remaining) / rate();
  // Of a used-up window both are nearly its length, so only what rounding explains counts as equal.
  double const said = seconds_of(*s.reset);
  double const rounding = (0.5 + step_of(s)) / rate() + (said == std::floor(said) ? 1.0 : 0.02);
  bool const matches = std::abs(said - to_full) <= rounding;
  // Used up at once, a window that has just begun says the same as an empty bucket; of refusals there are many at once.
  bool const has_begun =
      model() == refill::window && epoch_ > 1 && sent < window_start_ + duration_of_seconds(2 * rounding);
  if (matches && (has_begun || !charged) && to_full + rounding >= seconds_of(window_)) return;
  if (matches && continuous_votes_ < votes_needed) ++continuous_votes_;
  if (!matches && continuous_votes_ > 0) --continuous_votes_;
  if (continuous_votes_ == votes_needed) learn(evidence::resets_fit_bucket);
  if (continuous_votes_ == 0) learn(evidence::resets_fit_window);
}

/// The time until anything changes with time. The same reset more than a second later, or after several windows, comes
/// from one who does not know.
bool budget::stands_still(const limit_snapshot& s, time_point sent, time_point now) {
  auto& r = standing_;
  if (r.said != *s.reset) r = {.said = *s.reset, .epoch = epoch_, .seen = epoch_, .heard = now};
  if (r.seen != epoch_) {
    r.seen = epoch_;
    r.heard = now;
  }
  return epoch_ - r.epoch >= standing_windows || sent > r.heard + coarsest_reset;
}

void budget::observe_reset(const limit_snapshot& s, time_point sent, time_point now, bool charged) {
  if (stands_still(s, sent, now)) {
    learn(evidence::resets_stand_still);
    if (std::exchange(announced_, false) && model() == refill::window) {
      reset_at_ = boundary_after(now);
      evidence_.clear();
      evidence_since_ = now;
    }
    return;
  }
  announced_ = true;
  learn(evidence::reset_sent);
  vote(s, sent, charged);
  if (model() != refill::window) return;
  // The fields were made between sending and now, so the reset lies within [sent + reset, now + reset]: of several
  // headers about one reset the lowest upper end is nearest to it.
  // No limit takes longer than its window: beyond, the unit is another one, or the header is broken.
  auto const reset = std::min(*s.reset, window_);
  auto const latest = now + reset;
  auto const earliest = sent + reset;
  bool const same = reset_at_ && *reset_at_ + std::chrono::seconds{1} >= earliest;
  reset_at_ = same ? std::min(*reset_at_, latest) : latest;
}

/// The first header after a reset: what it shows is what one of the three models predicts for this moment.
void budget::judge_reset(const mark& m, double after, time_point sent) {
  unjudged_ = false;
  double const by_window = limit_ - (m.spent - spent_at_reset_);
  double const by_sliding = limit_ - log_.sum() + (spent_ - m.spent);
  auto const off = [&](double prediction) { return std::abs(after - prediction); };
  double const tolerance = tolerated * limit_;
  auto const short_of = [&](double prediction) { return after < prediction - 2 * tolerance; };
  if (!is_suspected_window(belief_)) {
    if (off(by_sliding) <= tolerance && off(by_window) > 2 * tolerance) learn(evidence::end_like_log);
    if (off(by_window) <= tolerance && off(by_sliding) > 2 * tolerance) learn(evidence::end_full);
    if (short_of(by_window) && off(by_sliding) > tolerance) learn(evidence::end_short);
    return;
  }
  double const by_bucket =
      std::min(limit_, suspicion_.level + suspicion_.refunds - (spent_at_reset_ - suspicion_.spent) +
                           rate() * seconds_of(sent - suspicion_.since)) -
      (m.spent - spent_at_reset_);
  double const nearest = std::min({off(by_window), off(by_sliding), off(by_bucket)});
  if (short_of(std::min({by_window, by_sliding, by_bucket}))) {
    learn(evidence::end_short);
  } else if (off(by_window) > nearest && off(by_sliding) == nearest) {
    learn(evidence::end_like_log);
  } else if (off(by_window) == nearest && off(by_bucket) > nearest + tolerance) {
    learn(evidence::end_full);
  } else if (off(by_bucket) + tolerance < off(by_window)) {
    learn(evidence::end_like_bucket);
  } else {
    learn(evidence::end_undecided);
  }
}

/// A request went although there was no room by our guess: does its header show what a bucket would have got meanwhile?
void budget::judge_test(double remaining, time_point now) {
  if (remaining > test_.decisive()) return void(learn(evidence::refill_seen));
  test_.refused(window_, now);
}

/// Others only take: where much more is there than has left the log, it is none. Against the word of one refusal one
/// header is enough; against more, only what all of the latest show.
void budget::judge_sliding(const mark& m, double n, double after, time_point sent) {
  double const log = limit_ - log_.sum() + spent_ - m.spent;
  double const all_show = std::min(after, levels_.level_after(m.level)) - log;
  double const more = is_proven(belief_) ? all_show : after - log;
  double const error = 2 * tolerated * limit_;
  if (more < error) return;
  if (all_show > error + far_more * n) no_log_at_ = sent;
  if (model() != refill::sliding) rounds_ = 0;
  if (model() != refill::sliding || sent < gone_at_ + window_) return;
  if (!learn(evidence::more_than_log)) return;
  // Since then the level has risen by what has left the log, and not as a bucket's does.
  auto const present = levels_.unknown();
  double const left = present.income - m.level.income - (present.refunds - m.level.refunds);
  levels_.lower(std::max(0.0, left - rate() * seconds_of(at_ - sent)));
}

/// What the headers since the last jump say about refill: how fast it is, and whether there is any at all.
void budget::learn_from_headers(time_point now) {
  auto const seen = evidence_.rate();
  if (!seen) return;
  if (model() == refill::continuous) {
    if (seen->error < 0.35 * rate() && seen->rate - 2 * seen->error > 0.25 * rate()) learn(evidence::refill_seen);
    bool const clear = seen->error < 0.25 * rate();
    drift_ =
        clear && seen->rate + 3 * seen->error < rate() ? std::clamp(rate() - seen->rate, 0.0, most_drift * rate()) : 0;
    bool const none = seen->error < 0.2 * rate() && seen->rate + 2 * seen->error < 0.4 * rate();
    if (none && learn(evidence::no_refill_seen)) suspect(std::nullopt, now);
  } else if (seen->error < 0.25 * rate() &&
             seen->rate - 4 * seen->error > (model() == refill::sliding ? sliding_error : least_refill) * rate()) {
    learn(evidence::refill_seen);
  }
}

/// Nothing seems to come back by and by. Then everything may at the end of a window, where one probe goes, or when the
/// provider said to come again, whichever is first; or it comes back as it was taken.
void budget::suspect(std::optional<duration> retry_after, time_point now) {
  suspicion_ = {.since = now, .level = levels_.level(), .spent = spent_, .refunds = 0};
  if (model() == refill::sliding) return levels_.lower(std::max(0.0, levels_.level() - (limit_ - log_.sum())));
  reset_at_ = boundary_after(now);
  if (retry_after) reset_at_ = std::min(*reset_at_, now + *retry_after);
}

/// For long nothing came, then something: everything, although what was used up had not left a sliding log, or what
/// has.
bool budget::see_what_came_back(const mark& m, double n, time_point sent, time_point now) {
  double const before = log_.sum() - (spent_ - m.spent) - n;
  hidden_.dried_up(before, n, now);
  follow_hidden_limit();
  if (!hidden_.is_measured()) return false;
  if (before + n > limit_) {
    if (!learn(evidence::back_at_once)) return false;
    spent_at_reset_ = m.spent - n;
    window_start_ = sent;
    reset_at_ = boundary_after(sent);
    levels_.restart(limit_ - taken_since_reset());
  } else {
    if (!learn(evidence::back_like_log)) return false;
    levels_.lower(levels_.level() - (limit_ - log_.sum()));
  }
  return true;
}

void budget::admitted(const mark& m, double n, time_point sent, time_point now) {
  advance(now);
  omitted_ = true;
  if (shown_) {
    bool const silent = !announced_ && now - told_at_ > window_;
    if (only_refusals_show() || silent) begin_window(m);
    return;
  }
  if (!learned() || hidden_.met_since(sent)) return;
  bool const came_back = model() == refill::continuous && hidden_.was_dry(sent) && see_what_came_back(m, n, sent, now);
  // Refused more often than the refill explains: what it has brought since is not relied on. In a window or a sliding
  // log a burst now would only be refused a little later; what goes evenly fits all of them.
  if (hidden_.admitted(spent_, sent, now) && !came_back && model() == refill::continuous) {
    double const doubtful = std::max(0.0, levels_.level());
    hidden_.doubt(doubtful);
    levels_.lower(doubtful);
  }
  learn(evidence::admitted_unshown);
  begin_window(m);
  bool const latest = m.spent + epsilon >= spent_;
  if (model() == refill::continuous || !latest || levels_.level() >= n) return;
  double const before = limit_;
  hidden_.step_held(n, now);
  follow_hidden_limit();
  levels_.refill(limit_ - before);
}

/// The probe after the end of a window was admitted, and no header tells more.
void budget::begin_window(const mark& m) {
  if (model() != refill::window || !assumed_ || m.epoch != epoch_) return;
  assumed_ = false;
  levels_.restart(limit_ - taken_since_reset());
}

/// A window has ended, then; of the other kinds there was at least as much.
void budget::disproved(const mark& m, time_point now) {
  advance(now);
  double const then = levels_.level_after(m.level);
  if (m.epoch != epoch_ || then >= 0) return;
  if (model() == refill::window) {
    roll(now);
  } else {
    levels_.lower(then);
  }
}

void budget::refused(const mark& m, double n, unsigned attempt, std::optional<duration> retry_after, double undecided,
                     time_point sent, time_point now) {
  advance(now);
  // Headers since, or a refusal since, have told already that it could not fit.
  bool const probe = model() == refill::window && assumed_;  // sent although the model knew of nothing left
  double const then = levels_.level_after(m.level);
  if (test_.is_under_way(m.level.sequence)) {
    test_.refused(window_, now);
    return untake(m, n, sent, now);
  }
  bool const could_not_fit = binds() && !probe && then < -epsilon;
  bool const explained = m.epoch != epoch_ || could_not_fit || hidden_.met_since(sent);
  untake(m, n, sent, now);
  hidden_.untake(n, sent);
  if (explained) return;
  if (!shown_) {
    met(n, undecided, probe, retry_after, sent, now);
  } else if (model() == refill::window) {
    refused_in_window(n, probe, retry_after, now);
  } else if (refused_beyond_log(n, retry_after, now)) {
    return;
  } else if (auto const level = certain_level(now);
             !plausible_bucket() && (attempt > 1 || !few_in_limit(n)) && learn(evidence::refused_with_room)) {
    levels_.lower(std::max(0.0, levels_.level() - std::min(level, n - 1)));
    suspect(retry_after, now);
  } else {
    if (attempt <= 1) widen_margin(n);
    // Half of it was missing, or, if that was not enough, much more: somebody else is here, and may be again soon.
    // Requests sent together are refused together.
    bool const same_round = sent <= gone_at_;
    gone_ = std::clamp(same_round ? gone_ : more_gone * gone_, n / 2, std::max(n, limit_ / evidence_part));
    count_round(same_round, now);
    levels_.lower(std::max(0.0, then + gone_));
    if (rounds_ < most_rounds) return;
    if (model() == refill::sliding) {
      learn(evidence::refused_in_a_row);
    } else if (!is_no_log(now) && explained_by_sliding(n) && learn(evidence::refused_like_log)) {
      suspect(retry_after, now);
    }
  }
}

/// Where few requests make up the limit, headers tell little of how it refills. A sliding log asks nothing of the other
/// kinds that they would not grant, so that one refusal which only it explains is enough.
bool budget::explained_by_sliding(double n) const {
  return few_in_limit(n) && limit_ - log_.sum() < n;
}

/// Headers have shown lately that a sliding log explains nothing.
bool budget::is_no_log(time_point now) const {
  return no_log_at_ && now < *no_log_at_ + log_memory * window_;
}

/// A round of refusals, unless it is the last one still; those in a row are no more than two windows apart.
void budget::count_round(bool same_round, time_point now) {
  rounds_ = same_round ? rounds_ : now - gone_at_ < 2 * window_ ? rounds_ + 1 : 1;
  gone_at_ = now;
}

/// Returns whether it is taken for a sliding log from now on.
bool budget::refused_beyond_log(double n, std::optional<duration> retry_after, time_point now) {
  double const certain = certain_level(now);
  if (!explained_by_sliding(n) || !learn(evidence::refused_beyond_log)) return false;
  if (model() == refill::window) levels_.lower(std::max(0.0, levels_.level() - std::min(certain, n - 1)));
  suspect(retry_after, now);
  return true;
}

void budget::widen_margin(double n) {
  margin_ = std::min(most_margin * limit_, std::max(1.5 * margin_, first_margin * n));
}

/// Before anything stands behind the bucket: do headers at least point that way?
bool budget::plausible_bucket() const {
  auto const seen = evidence_.rate();
  return seen && seen->error < 0.5 * rate() && seen->rate - seen->error > 0.3 * rate();
}

void budget::refused_in_window(double n, bool probe, std::optional<duration> retry_after, time_point now) {
  levels_.lower(std::max(0.0, levels_.level()));
  assumed_ = false;
  // No window ends later than after its length, whatever the provider says.
  if (!reset_at_)
    reset_at_ = announced_ ? now + std::min(window_, retry_after.value_or(window_ / 12)) : boundary_after(now);
  if (!probe || announced_) return;
  if (!shown_ && learn(evidence::refused_unshown)) {
    // What looked like the end of a window was the end of somebody else's use.
    levels_.restart(0);
  } else if (is_proven(belief_)) {
    // It ends a little later than we think, since clocks differ; or it has no end, and is a log.
    count_round(false, now);
    if (rounds_ > 1 && refused_beyond_log(n, retry_after, now)) return;
    phase_ = (phase_ + late_step) % window_;
    reset_at_ = now + late_step;
  } else if (now >= boundary_after(suspicion_.since) &&
             learn(is_no_log(now) ? evidence::end_empty_no_log : evidence::end_empty)) {
    // A whole window's end has brought nothing: it comes back as it was taken.
    levels_.lower(levels_.level() - std::min(limit_ - log_.sum(), 0.0));
  } else if (retry_after) {
    reset_at_ = std::min(*reset_at_, now + *retry_after);
  }
}

/// A refusal where our own count saw room: the limit was used up when the request was sent, whoever has used it. What
/// its value is, that alone does not say: an earlier process or somebody else may have been there.
void budget::met(double n, double undecided, bool probe, std::optional<duration> retry_after, time_point sent,
                 time_point now) {
  bool const again = learned();
  if (model() == refill::sliding && !hidden_.is_climbing() && log_.sum() + 2 * n <= limit_)
    learn(evidence::refused_unshown);
  hidden_.met({.n = n,
               .spent = spent_,
               .undecided = undecided,
               .used = model() == refill::window ? std::min(log_.sum(), taken_since_reset()) : log_.sum(),
               .at_once = model() != refill::continuous,
               .word = retry_after,
               .oldest = log_.empty() ? std::nullopt : std::optional{log_.oldest()},
               .sent = sent,
               .now = now},
              reported_);
  follow_hidden_limit();
  if (model() == refill::window) return refused_in_window(n, probe, retry_after, now);
  if (model() == refill::sliding ||
      (again && hidden_.is_told() && log_.sum() + n > limit_ && learn(evidence::back_like_log)))
    return levels_.lower(levels_.level() - (limit_ - log_.sum()));
  double const since = model() == refill::continuous ? rate() * seconds_of(now - sent) : 0;
  levels_.lower(levels_.level() + undecided - since);
  if (model() == refill::continuous) levels_.lower(std::max(0.0, rate() * seconds_of(hidden_.patience()) - n));
}

/// What has been sent since may have been more than there was: then the level is nothing new.
void budget::hide(const mark& m, time_point now) {
  advance(now);
  reported_ = shown_ = answers_show_ = announced_ = false;
  highest_ = 0;
  hidden_ = hidden_limit(limit_, window_, now - window_);
  hidden_.guessed();
  if (m.epoch == epoch_) levels_.lower(std::min(0.0, levels_.level_after(m.level)));
}

void budget::told(double limit) {
  if (reported_) return;
  hidden_.told(limit);
  follow_hidden_limit();
}

void budget::follow_hidden_limit() {
  if (!reported_) limit_ = hidden_.value();
}

}  // namespace cooldown
