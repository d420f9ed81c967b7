// How large a limit is that no header reports: learned from refusals, which say when it was used up.
#pragma once

#include <optional>

#include "cooldown/limit/learned_limit.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// A refusal says when a limit was used up, not how large it is. What is admitted between two such moments is what came
/// in between: the refill, or what others leave of it. That lowers the value. Use without a refusal raises it again, by
/// steps that grow; a step that is refused falls back to the value that had held, and the next one waits longer.
///
///   configured ──refused, refused again──► lowered ──a stretch of use──► climbing ──refused──► lowered
///                                             └──refused again, with less: others come and go──► as before
class hidden_limit {
 public:
  /// A refusal of `n` that was sent at `sent`, and our own count by then.
  struct meeting {
    double n;
    double spent;                      // the sum of all that was taken and not given back
    double undecided;                  // of it, what went so lately that it may be refused too
    double used;                       // within the last window
    std::optional<time_point> oldest;  // when the oldest part of that was taken
    time_point sent;
    time_point now;
  };

  /// `born`: nothing that was used before is known.
  hidden_limit(double configured, duration window, time_point born)
      : window_(window), configured_(configured), value_(configured), born_(born) {}

  /// What is configured has changed: everything learned is forgotten.
  void configure(double limit);

  /// Nobody has configured it: it may turn out higher, too.
  void guessed() { guessed_ = true; }
  bool is_guess() const { return guessed_; }

  double configured() const { return configured_; }
  /// What is believed now.
  double value() const { return value_; }
  /// True when refusals have shown when it was used up.
  bool learned() const { return met_at_.has_value(); }
  /// True when a refusal that came later has told already what one of a request sent at `sent` could tell.
  bool met_since(time_point sent) const { return met_at_ && sent <= *met_at_; }

  /// It was full: what came in since it was used up says nothing any more.
  void filled() {
    empty_at_.reset();
    owed_ = 0;
  }

  /// `n` that came in by its value is not relied on yet.
  void doubt(double n) { owed_ += n; }

  /// What is given out now of that, and of what a lowered value has left behind: `elapsed` has passed, by small parts.
  double repay(duration elapsed);

  /// Of what was taken for admitted, `n` sent at `sent` was refused.
  void untake(double n, time_point sent);

  /// It was used up when a request was sent. `fixed`: a header tells its value.
  void met(const meeting& m, bool fixed);

  /// A request sent after the last refusal was admitted; `spent` is as in `meeting`. Returns true when it was asked in
  /// vain before, lately or for long: then it is empty now.
  bool admitted(double spent, time_point sent, time_point now);

  /// `n` is taken of it, of which `level` is left.
  void taken(double n, double level, time_point now);

  /// How long to wait after a refusal in vain before it is asked again: zero unless the last one was.
  duration patience() const;

  /// `spent` is as in `meeting`, and nought at the moment of restoring.
  learned_hidden_limit save(double spent, time_point now) const;
  /// As it was at `saved`. False: that makes no sense, and nothing has changed.
  bool restore(const learned_hidden_limit& s, time_point saved);

 private:
  // Where what may be owed was not there, somebody else has taken it: it is tried again after one window without a
  // refusal, then after more and more.
  static constexpr unsigned most_failed_repayments = 5;

  bool is_measured_twice(const meeting& m);
  void judge(const meeting& m);
  void lower(double seen, double least, bool telling, time_point now);
  duration due(double n) const;

  duration window_;
  double configured_;
  bool guessed_ = false;
  double value_;
  time_point born_;
  std::optional<time_point> met_at_;
  bool in_vain_ = false;                 // refused again before anything was admitted
  std::optional<time_point> dry_since_;  // refused then, and nothing admitted since
  std::optional<time_point> empty_at_;   // used up then, and not full since
  double spent_at_empty_ = 0;
  double spent_at_run_ = 0;             // at the first admission after a refusal
  std::optional<time_point> first_at_;  // used up then, for the first time
  double spent_at_first_ = 0;
  double owed_ = 0;                 // what it may have beyond our count, if nobody has taken it
  bool repaid_ = false;             // some of that was given out since the last refusal
  unsigned failed_repayments_ = 0;  // in a row, ended by a refusal
  double calm_ = 0;                 // windows since the last refusal
  bool dried_ = false;              // since it was used up, nothing was admitted for long

  // Climbing.
  time_point tried_at_{};       // when it was raised or refused last
  double step_ = 0;             // by how much it is raised next
  std::optional<double> held_;  // the value that a climb began with
  unsigned failed_climbs_ = 0;

  // Others who come and go: lowered because of them, we get even less.
  std::optional<time_point> lowered_at_;
  double lowered_from_ = 0;
  bool lowered_early_ = false;  // in the first window, of which our own log says little
  double seen_then_ = 0;
  std::optional<time_point> steadfast_until_;
};

}  // namespace cooldown
