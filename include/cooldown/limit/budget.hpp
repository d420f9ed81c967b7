// A model of one of the provider's limits: how much is left now, and when n units will fit.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "cooldown/limit/belief.hpp"
#include "cooldown/limit/charged_part.hpp"
#include "cooldown/limit/hidden_limit.hpp"
#include "cooldown/limit/outlook.hpp"
#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/limit/reckoning.hpp"
#include "cooldown/limit/refill_evidence.hpp"
#include "cooldown/limit/refill_test.hpp"
#include "cooldown/limit/spending_log.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// What became of a request whose answer has rate-limit headers.
enum class fate : std::uint8_t {
  charged,  // admitted: the remaining includes its cost
  refused,  // refused for quota: the remaining does not include its cost
  unknown,  // it failed otherwise, before or after it was charged; treated as not charged, the cautious reading
};

struct budget_settings {
  duration reset_buffer = std::chrono::milliseconds{100};  // added to every announced reset
  duration header_timeout = std::chrono::seconds{5};       // how long probes after a reset wait for a fresh header
  std::optional<refill> pinned;                            // how limits refill; nullopt: learned from evidence
};

/// The level is dead-reckoned: reservations are deducted, refunds and refill added. A header describes the past: the
/// level right after the request that it answers (`mark`). Everything released, refunded or refilled since is added by
/// the model, in whatever order responses arrive (reckoning).
///
/// How the limit refills is learned (docs/decisions/008-learned-refill.md): it is assumed to refill continuously until
/// headers or refusals contradict that, or in windows if resets are announced. The three models differ only in how the
/// level moves with time.
class budget {
 public:
  /// What a reservation stores about this budget, to interpret the header that will answer it.
  struct mark {
    reckoning::mark level;
    double spent = 0;         // everything taken so far and not given back, including this reservation
    std::uint32_t epoch = 0;  // 0: taken before the budget existed
  };

  /// Starts full at `now`; refills as `model` until evidence contradicts that. If `model` is `window`, the caller
  /// passes the header that announced the reset to observe() next.
  budget(double limit, duration window, refill model, time_point now, const budget_settings& settings);

  void configure(const budget_settings& settings);

  /// The wall clock minus the steady clock: windows without announced resets end at the wall clock's whole minutes,
  /// hours and days.
  void align(duration wall_offset) { wall_offset_ = wall_offset; }

  double limit() const { return limit_; }
  /// True if only a refusal has named the limit: its value is a guess.
  bool is_guess() const { return hidden_.is_guess(); }
  /// Refill that others use, in units per second.
  double drift() const { return drift_; }
  /// The highest possible level: the limit, or a remaining above it.
  double capacity() const { return limit_ > highest_ ? limit_ : highest_; }
  /// The current belief about its refill.
  belief believed() const { return belief_; }
  refill model() const { return model_of(belief_); }
  /// True once a header has mentioned this limit; until then it is only configured, or named by a refusal.
  bool reported() const { return reported_; }
  /// True once a header has shown the remaining; until then the level is our own count.
  bool shown() const { return shown_; }
  /// When a header last mentioned it. Knowledge older than snapshot_lifetime rejects no request.
  time_point told_at() const { return told_at_; }
  /// True if refusals have shown when this limit was used up; no header does.
  bool learned() const { return hidden_.learned(); }
  /// True if refusals have shown the remaining, and no other answer has.
  bool only_refusals_show() const { return shown_ && !answers_show_; }
  /// More than what has held before is tried now.
  bool is_tried() const { return model() != refill::continuous && hidden_.is_tried_beyond(log_.sum()); }
  /// True if refusals have shown what it is, and what has come back since.
  bool is_measured() const { return hidden_.is_measured(); }
  /// True if its level may hold requests back. A limit whose remaining is never shown may not be the whole truth, and
  /// holds nothing back until a refusal has named it; one of less than a minute is a speed, and is kept to.
  bool binds() const { return !reported_ || shown_ || learned() || window_ < std::chrono::minutes{1}; }

  /// Estimated units left, after deducting reservations in flight; may be negative after a correction.
  double level(time_point now);

  /// Number of entries kept; bounded.
  std::size_t entries() const { return levels_.entries() + log_.size(); }

  /// Units taken within the last window and not given back.
  double used(time_point now);

  /// True if `n` exceeds a configured limit that no header reports, by our own count: that is certain, not a belief.
  bool forbids(double n, time_point now);

  /// When the limit will be full again, if that is announced or inferred.
  std::optional<time_point> next_reset() const { return reset_at_; }

  /// Earliest time at which `n` fit if nobody else takes any; an `n` above the limit fits when the limit is full.
  /// `passed`: as if that much more had just been taken.
  time_point ready_at(double n, time_point now, double passed = 0);

  /// A copy for forecasts.
  outlook ahead(time_point now);

  /// An answer has ended: it used `used` tokens, of which `charged` count for this limit, as far as known.
  void count_use(double used, double charged) { charged_.count(used, charged); }

  mark take(double n, time_point now);

  /// The mark of a request that was sent long before the first header of this budget, and so is included in that
  /// header.
  mark mark_before() const { return {.level = levels_.unknown(), .spent = spent_, .epoch = epoch_}; }

  /// Gives back `n` of what `m` took at `taken`. If a reset has passed since, the level stays: the window that it was
  /// taken from is over.
  void give_back(const mark& m, double n, time_point taken, time_point now);

  /// Before the header that answers it: what `m` took at `taken` is `by` less than assumed.
  void correct(const mark& m, double by, time_point taken, time_point now);

  /// The provider did not charge the `n` that `m` took at `taken`.
  void untake(const mark& m, double n, time_point taken, time_point now);

  /// The response to a request that took `n` at `sent` (`m`) shows `s`. `overlap`: number of other requests that may
  /// have reached the provider in another order than they were sent. Returns how much the remaining differs from the
  /// model; positive: more is left.
  double observe(const mark& m, double n, const limit_snapshot& s, time_point sent, time_point now, unsigned overlap,
                 fate became);

  /// True if a header that shows `remaining` after a request that took `n` (`m`) would differ clearly from the model.
  bool surprised_by(double remaining, const mark& m, double n) const;

  /// The header of an admitted request, which took `m` at `sent`, is a copy of an older one.
  void observe_copy(const mark& m, time_point sent, time_point now);

  /// A request sent at `sent` (`m`) was admitted, and its answer does not show what remains, though others do.
  void answered_silently(const mark& m, time_point sent) {
    if (m.epoch == epoch_) levels_.answered_silently(m.level, sent);
  }

  /// A request of `n` sent at `sent` (`m`) was admitted, and no header mentions this limit.
  void admitted(const mark& m, double n, time_point sent, time_point now);

  /// True if headers mentioned it, and no longer do.
  bool has_vanished(time_point now) const {
    return reported_ && omitted_ && !only_refusals_show() && now - told_at_ > snapshot_lifetime;
  }
  /// It has vanished, and a request that took `m` was refused: from now on it is a hidden limit, whose value is at
  /// first the last that headers told.
  void hide(const mark& m, time_point now);

  /// A refusal has named the limit's value, and no header does.
  void told(double limit);

  /// A request that took `m` was sent although nothing was left by our count, and was admitted; its answer did not
  /// mention this limit.
  void disproved(const mark& m, time_point now);

  /// A request that took `n` at `sent` (`m`) was refused without headers of this limit: less than `n` was left. The
  /// `attempt`th refusal in a row (1, 2, …) assumes that half, then all of `n` is missing. `retry_after` is used if
  /// there is no better plan. `undecided`: units taken so recently by others that they may be refused, too. The
  /// reservation is given back.
  void refused(const mark& m, double n, unsigned attempt, std::optional<duration> retry_after, double undecided,
               time_point sent, time_point now);

  learned_limit save(time_point now);
  /// Restores the state as of `saved`. False: the data is invalid, and nothing has changed.
  bool restore(const learned_limit& s, time_point saved);

  /// The limit is not configured: refusals and their absence outweigh the guess that it was created with.
  void guessed() { hidden_.guessed(); }

  /// To be called when the configured limit has changed.
  void set_limit(double limit);

 private:
  void set_told_limit(double limit);
  void advance(time_point now);
  bool forget(const mark& m, double n, time_point taken, time_point now);
  void roll(time_point now);
  void learn_from_headers(time_point now);
  void met(double n, double undecided, bool probe, std::optional<duration> retry_after, time_point sent,
           time_point now);
  void follow_hidden_limit();
  void begin_window(const mark& m);
  void try_more(double n, time_point now);
  bool see_what_came_back(const mark& m, double n, time_point sent, time_point now);
  void observe_reset(const limit_snapshot& s, time_point sent, time_point now, bool charged);
  bool stands_still(const limit_snapshot& s, time_point sent, time_point now);
  void vote(const limit_snapshot& s, time_point sent, bool charged);
  void judge_reset(const mark& m, double after, time_point sent);
  void judge_test(double remaining, time_point now);
  void judge_sliding(const mark& m, double n, double after, time_point sent);
  void widen_margin(double n);
  bool plausible_bucket() const;
  bool few_in_limit(double n) const;
  void suspect(std::optional<duration> retry_after, time_point now);
  bool explained_by_sliding(double n) const;
  bool is_no_log(time_point now) const;
  void count_round(bool same_round, time_point now);
  bool refused_beyond_log(double n, std::optional<duration> retry_after, time_point now);
  void refused_in_window(double n, bool probe, std::optional<duration> retry_after, time_point now);
  bool learn(evidence e);
  time_point boundary_after(time_point t) const;
  std::optional<time_point> window_end() const;
  time_point test_or(time_point at, double n, double passed, time_point now);
  std::optional<time_point> end_to_ask_at() const;
  double certain_level(time_point now) const;
  time_point certain_at(double n, time_point now) const;
  double rate() const { return limit_ / seconds_of(window_); }  // units per second
  double inflow() const { return rate() - std::min(drift_, most_drift * rate()); }
  headroom kept() const;
  double spare(double n) const { return kept().of(n, capacity()); }
  double taken_since_reset() const { return spent_ - spent_at_reset_; }

  // At most this part of the refill is attributed to others; the rest keeps requests flowing, whose headers can correct
  // it.
  static constexpr double most_drift = 0.8;
  static constexpr int evidence_part = 4;  // of the window: evidence of a minute's limit is weighed over 15 seconds

  budget_settings settings_;
  double limit_;
  duration window_;
  time_point at_;  // the time up to which levels_ is computed
  reckoning levels_;
  double spent_ = 0;
  double highest_ = 0;  // a remaining above the limit: two buckets behind one name
  bool reported_ = false;
  bool shown_ = false;
  bool answers_show_ = false;  // of admitted requests
  bool omitted_ = false;       // by the latest answer to an admitted request
  double raised_ = 0;          // what only refusals show, by our own steps since the last one
  belief belief_;
  spending_log log_;
  refill_evidence evidence_;
  refill_test test_;
  std::pair<time_point, double> test_offered_{};  // when, and for how many units
  time_point shown_at_;                           // when the request of the latest header was sent
  time_point taken_at_{};
  unsigned gaps_ = 0;          // pauses made between releases to see whether it refills
  time_point evidence_since_;  // requests sent before it are no evidence: the level has jumped or was full

  double overflow_;  // refill lost since it was full
  double drift_ = 0;
  double gone_ = 0;  // units assumed missing after an unexplained refusal; fading
  time_point gone_at_{};
  std::optional<time_point> no_log_at_;  // when headers have shown far more than a sliding log would have had
  unsigned rounds_ = 0;  // of such refusals, not long after each other, unless a header has refuted a sliding log since
  double margin_ = 0;    // kept unspent after refusals that the model cannot explain
  std::uint32_t epoch_ = 1;  // counts resets: a header from before a reset says nothing about the time after it

  // window model
  std::optional<time_point> reset_at_;  // announced or inferred, not yet passed
  time_point window_start_;             // at the latest; without a known reset, the window's end is computed from it
  bool announced_ = false;              // resets are sent
  bool assumed_ = false;   // after a reset, until a fresh header: a tenth of the limit is assumed to be left
  bool unjudged_ = false;  // no header has shown what was left at the reset
  std::optional<time_point> probed_at_;  // first release after the reset
  /// The state when the latest suspicion arose, to compute what a bucket would have gained since.
  struct suspicion {
    time_point since;
    double level = 0;
    double spent = 0;
    double refunds = 0;  // since, of what was taken before a reset: a bucket would have it back
  };
  suspicion suspicion_;
  double spent_at_reset_ = 0;
  unsigned continuous_votes_ = 0;  // 0 to 3: evidence that resets are the time until full
  /// The latest resets, which were all the same.
  struct standing_reset {
    duration said{};
    std::uint32_t epoch = 0;  // at the first of them
    std::uint32_t seen = 0;   // at the first one since the last end of a window
    time_point heard{};       // the same one's
  };
  standing_reset standing_;
  duration wall_offset_{};
  duration phase_{};  // how much later than the wall clock's boundaries windows end

  charged_part charged_;
  hidden_limit hidden_;  // estimates limit_ if no header reports it
  time_point told_at_{};
};

}  // namespace cooldown
