// How large a limit is that no header reports: learned from refusals, which say when it was used up.
#pragma once

#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// What was admitted between two moments at which a limit was used up is what came in between. That lowers its value;
/// use without a refusal raises it again, up to what is configured.
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

  hidden_limit(double configured, duration window) : window_(window), configured_(configured), value_(configured) {}

  /// What is configured has changed: everything learned is forgotten.
  void configure(double limit);

  double configured() const { return configured_; }
  /// What is believed now.
  double value() const { return value_; }
  /// True when refusals have shown when it was used up.
  bool learned() const { return met_at_.has_value(); }
  /// True when a refusal that came later has told already what one of a request sent at `sent` could tell.
  bool met_since(time_point sent) const { return met_at_ && sent <= *met_at_; }

  /// It was full, or a window has ended: what came in since it was used up says nothing any more.
  void filled() { empty_at_.reset(); }

  /// Of what was taken for admitted, `n` sent at `sent` was refused.
  void untake(double n, time_point sent);

  /// It was used up when a request was sent. `fixed`: a header tells its value. Returns true when nothing had come in
  /// since it was used up before.
  bool met(const meeting& m, bool fixed);

  /// A request sent after the last refusal was admitted. Returns true when that one was refused in vain, and lately.
  bool admitted(time_point now);

  /// True when it was met in vain at `sent`, long after it was used up.
  bool long_in_vain(time_point sent) const;

  /// `n` is taken of it, of which `level` is left.
  void taken(double n, double level, time_point now);

  /// A refusal of a sliding one: there is a little less than was believed.
  void shrink();

 private:
  void lower(const meeting& m);
  duration stretch() const;

  static constexpr double first_step = 0.25;

  duration window_;
  double configured_;
  double value_;
  std::optional<time_point> met_at_;
  std::optional<time_point> empty_at_;  // used up then, and not full since
  double spent_at_empty_ = 0;
  time_point tried_at_{};  // when it was raised last
  double proven_ = 0;      // the most that was admitted within a window, fading
  time_point proven_at_{};
  double step_ = first_step;   // by how much it is raised next
  bool raised_ = false;        // and not refused since
  bool in_vain_ = false;       // refused again before anything was admitted
  unsigned failed_steps_ = 0;  // raises in a row that were refused
};

}  // namespace cooldown
