// One limit as plain values, to be kept over a restart. Times are stored as ages at the moment of saving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cooldown/limit/limit_id.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Time from an event to the moment of saving; negative: the event is later. nullopt: it has not happened.
using age = std::optional<duration>;

/// The clock's epoch stands for an event that has not happened.
inline age age_of(time_point t, time_point saved) {
  return t == time_point{} ? std::nullopt : age{saved - t};
}
inline age age_of(std::optional<time_point> t, time_point saved) {
  return t ? age{saved - *t} : std::nullopt;
}

/// Older data is useless, or the file is broken.
inline constexpr duration oldest_age = std::chrono::hours{24} * 400;

/// Reads ages and numbers of a saved state. A single invalid value invalidates everything read with this object: the
/// caller checks `sane()` at the end, and changes nothing if it is false.
class learned_reader {
 public:
  /// `saved`: the moment of saving, by the current steady clock.
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
  /// NaN is invalid.
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

/// An amount taken from a limit at about one time.
struct spent_part {
  duration ago{};
  double amount = 0;
};

/// What refusals have taught about a limit that no header shows (`hidden_limit`).
struct learned_hidden_limit {
  double configured = 0;
  double value = 0;
  bool guessed = false;
  bool told = false;
  bool measured = false;
  age born, met_at, dry_since, dry_until, empty_at, first_at, tried_at, lowered_at, steadfast_until;
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

/// One limit: its value and the source of that, its level, and how it refills (`budget`).
struct learned_limit {
  limit_id id;
  double limit = 0;
  double highest = 0;     // a remaining above the limit that headers have shown
  bool reported = false;  // by headers; false: configured, or named by a refusal
  bool shown = false;
  bool shown_by_answers = false;  // not only by refusals
  age told_at, shown_at, taken_at;

  double level = 0;               // after deducting requests in flight
  std::vector<spent_part> spent;  // within the window, oldest first
  double margin = 0;
  double gone = 0;
  age gone_at;
  unsigned rounds = 0;

  std::uint8_t belief = 0;  // about its refill: belief
  double drift = 0;         // units per second that others use
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
