// One limit as plain values, to be kept over a restart, and how times are kept: as ages at the moment of saving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cooldown/time.hpp"

namespace cooldown {

/// How long before the moment of saving something was; negative: after it. nullopt: it has not happened.
using age = std::optional<duration>;

/// The clock's first moment stands for what has not happened.
inline age age_of(time_point t, time_point saved) {
  return t == time_point{} ? std::nullopt : age{saved - t};
}
inline age age_of(std::optional<time_point> t, time_point saved) {
  return t ? age{saved - *t} : std::nullopt;
}

/// What is older is no use, or the file is broken.
inline constexpr duration oldest_age = std::chrono::hours{24} * 400;

/// Reads ages and numbers of a saved state. One that makes no sense spoils all that is read with it: the caller looks
/// at `sane()` at the end, and leaves things as they were.
class learned_reader {
 public:
  /// `saved`: the moment of saving on the clock of now.
  explicit learned_reader(time_point saved) : saved_(saved) {}

  /// Not after the moment of saving.
  time_point past(age a) { return moment(a, duration::zero()); }
  /// At most `ahead` after it.
  time_point moment(age a, duration ahead) {
    if (!a) return {};
    check(*a >= -ahead && *a <= oldest_age);
    return sane_ ? saved_ - *a : time_point{};
  }
  std::optional<time_point> perhaps(age a, duration ahead) {
    return a ? std::optional{moment(a, ahead)} : std::nullopt;
  }
  duration length(duration d, duration most) {
    check(d >= duration::zero() && d <= most);
    return d;
  }
  /// False for what is no number.
  double number(double x, double low, double high) {
    check(x >= low && x <= high);
    return x;
  }
  unsigned count(unsigned n, unsigned most) {
    check(n <= most);
    return n;
  }

  bool sane() const { return sane_; }
  time_point saved() const { return saved_; }

 private:
  void check(bool ok) { sane_ = sane_ && ok; }

  time_point saved_;
  bool sane_ = true;
};

/// What was taken of a limit at about one time.
struct spent_part {
  duration ago{};
  double amount = 0;
};

/// What refusals have taught of a limit that no header shows (`hidden_limit`).
struct learned_hidden_limit {
  double configured = 0;
  double value = 0;
  bool guessed = false;
  age born, met_at, dry_since, empty_at, first_at, tried_at, lowered_at, steadfast_until;
  bool in_vain = false;
  bool dried = false;
  bool lowered_early = false;
  double spent_since_empty = 0;
  double spent_since_run = 0;
  double spent_since_first = 0;
  double owed = 0;
  unsigned failed_repayments = 0;
  double step = 0;
  std::optional<double> held;
  unsigned failed_climbs = 0;
  double lowered_from = 0;
  double seen_then = 0;
};

/// One limit: how large it is and who says so, what is left of it, and how it refills (`budget`).
struct learned_limit {
  std::uint8_t slot = 0;  // what it counts, and over what: slot_of()
  double limit = 0;
  double highest = 0;     // a remaining that headers show above it
  bool reported = false;  // by headers; false: configured, or named by a refusal
  bool shown = false;
  age told_at, shown_at, taken_at;

  double level = 0;               // what is in flight is deducted
  std::vector<spent_part> spent;  // within the window, the oldest first
  double margin = 0;
  double gone = 0;
  age gone_at;
  unsigned rounds = 0;

  std::uint8_t belief = 0;  // of its refill: belief
  double drift = 0;         // units per second that others take
  bool announced = false;
  unsigned reset_votes = 0;
  age reset_at, window_start;
  double spent_since_reset = 0;
  bool assumed = false;
  age probed_at;
  duration phase{};
  age suspected_at;
  double suspected_level = 0;
  double suspected_refunds = 0;
  double spent_since_suspected = 0;
  unsigned refused_tests = 0;
  age next_test;

  learned_hidden_limit hidden;
};

}  // namespace cooldown
