// The value of a limit that no header reports, learned from refusals, which show when it was used up.
#pragma once

#include <optional>

#include "cooldown/limit/learned_limit.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// A refusal shows when a limit was used up, not how large it is. What is admitted between two refusals is the refill,
/// or what others leave of it; that lowers the value. Use without a refusal raises it again in growing steps. If a step
/// is refused, the value falls back to the last one that held, and the next step waits longer.
///
///   configured ──refused, refused again──► lowered ──a stretch of use──► climbing ──refused──► lowered
///                                             └──refused again, with less: others come and go──► as before
class hidden_limit {
 public:
  /// A refusal of `n` units sent at `sent`, and our own count at that time.
  struct meeting {
    double n;
    double spent;                      // everything taken so far and not given back
    double undecided;                  // part of it, taken so recently that it may be refused, too
    double used;                       // within the last window
    bool at_once = false;              // what was used comes back at once, or as it went: a window or a sliding log
    std::optional<duration> word{};    // when the provider says to come again
    std::optional<time_point> oldest;  // when the oldest part of `used` was taken
    time_point sent;
    time_point now;
  };

  /// `born`: use before this time is unknown.
  hidden_limit(double configured, duration window, time_point born)
      : window_(window), configured_(configured), value_(configured), born_(born) {}

  /// The configured value has changed: everything learned is forgotten.
  void configure(double limit);

  /// The limit is not configured: its value may also rise above the guess.
  void guessed() { guessed_ = true; }
  bool is_guess() const { return guessed_; }

  double configured() const { return configured_; }
  /// A refusal has named the value.
  void told(double value);
  /// The value is known well enough to tell a window or a sliding log by it.
  bool is_measured() const { return measured_; }
  bool is_told() const { return told_; }
  /// More than the last value that held is tried.
  bool is_climbing() const { return held_.has_value(); }
  /// The same, by the request after `used`.
  bool is_tried_beyond(double used) const { return held_ && used >= *held_; }

  /// For long nothing came before a request that was sent at `sent` was admitted, and refusals or the provider said so.
  bool was_dry(time_point sent) const;
  /// The same, after `used` of it had been used at most a window before: `n` more do not fit.
  void dried_up(double used, double n, time_point now);

  /// The current estimate.
  double value() const { return value_; }
  /// True if refusals have shown when it was used up.
  bool learned() const { return met_at_.has_value(); }
  /// When the latest of them was heard; only if `learned()`.
  time_point met_at() const { return *met_at_; }
  /// True if a later refusal has already shown what a refusal of a request sent at `sent` could show.
  bool met_since(time_point sent) const { return met_at_ && sent <= *met_at_; }

  /// The limit was full: refill since it was used up no longer says anything.
  void filled() {
    empty_at_.reset();
    owed_ = 0;
  }

  /// `n` units of refill by the estimated value are held back for now.
  void doubt(double n) { owed_ += n; }

  /// Returns how much of the units held back, and of those left behind by a value that was too low, is released after
  /// `elapsed`; in small parts.
  double repay(duration elapsed);

  /// `n` units sent at `sent`, which were assumed admitted, were refused.
  void untake(double n, time_point sent);

  /// The limit was used up when a request was sent. `fixed`: headers show its value.
  void met(const meeting& m, bool fixed);

  /// A request sent after the last refusal was admitted; `spent` as in `meeting`. Returns true if probes were refused
  /// before, recently or for long: then the limit is empty now.
  bool admitted(double spent, time_point sent, time_point now);

  /// `n` units are taken; `level` is left.
  void taken(double n, double level, bool at_once, time_point now);

  /// The latest request, of `n` units, was admitted, and less than that is left. Where units come back at once, or as
  /// they went, a step of a climb has held, then, and the next one follows.
  void step_held(double n, time_point now);

  /// How long to wait before the next probe after a refused one; zero unless the last one was refused.
  duration patience() const;

  /// `spent` as in `meeting`; it is zero at the moment of restoring.
  learned_hidden_limit save(double spent, time_point now) const;
  /// Restores the state as of `saved`. False: the data is invalid, and nothing has changed.
  bool restore(const learned_hidden_limit& s, time_point saved);

 private:
  // If units held back turn out to be gone, somebody else has used them. They are tried again after one window without
  // a refusal, then after more and more.
  static constexpr unsigned most_failed_repayments = 5;

  void climb(double first, time_point now);
  bool is_measured_twice(const meeting& m);
  void end_climb();
  void forget_climb();
  void judge(const meeting& m);
  void lower(double seen, double least, bool telling, time_point now);
  duration due(double n) const;

  duration window_;
  double configured_;
  bool guessed_ = false;
  double value_;
  time_point born_;
  std::optional<time_point> met_at_;
  bool in_vain_ = false;                 // refused again before any admission
  std::optional<time_point> dry_since_;  // time of a refusal without an admission since
  time_point dry_until_{};               // a later refusal or the provider's word confirms that it was dry until then
  bool told_ = false;                    // by the last refusal that named it
  bool measured_ = false;                // the value was told, or seen to be used up at once
  std::optional<time_point> empty_at_;   // when it was used up, if it has not been full since
  double spent_at_empty_ = 0;
  double spent_at_run_ = 0;             // at the first admission after a refusal
  std::optional<time_point> first_at_;  // when it was used up for the first time
  double spent_at_first_ = 0;
  double owed_ = 0;                 // units that may be left beyond our count, if nobody else has used them
  bool repaid_ = false;             // some of owed_ was released since the last refusal
  unsigned failed_repayments_ = 0;  // in a row, ended by a refusal
  double calm_ = 0;                 // windows since the last refusal
  bool dried_ = false;              // nothing was admitted for long since it was used up

  // Climbing.
  time_point tried_at_{};       // when it was last raised or refused
  double step_ = 0;             // how much it is raised next
  std::optional<double> held_;  // the value at the start of a climb
  unsigned failed_climbs_ = 0;

  // Intermittent use by others: after a lowering because of it, even less is admitted.
  std::optional<time_point> lowered_at_;
  double lowered_from_ = 0;
  bool lowered_early_ = false;  // in the first window, of which our own log knows little
  double seen_then_ = 0;
  std::optional<time_point> steadfast_until_;
};

}  // namespace cooldown
