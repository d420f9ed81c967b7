// Tokens that a provider reserves for an output before there is any: its maximum, where it is given and charged whole.
#pragma once

#include <optional>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/request_size.hpp"
#include "cooldown/schedule/seen_charge.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Starts from the documented rule, the maximum, and learns from what headers show what is charged for a missing one,
/// and whether there is a cap. What was learned is forgotten when nothing has confirmed it for an hour.
class output_estimator {
 public:
  /// Tokens charged for the output. `careful`: a missing maximum counts as the most that accounts have been seen to be
  /// charged for one, until headers have shown better.
  double tokens(const request_size& size, bool careful, time_point now) const;

  /// The least that may be charged for it: accounts have been seen to charge 16,384 for any larger maximum.
  double least(const request_size& size, time_point now) const;

  /// The charge of one request, of which its input is taken for `input`. True: estimates have changed.
  bool observe(const request_size& size, const seen_charge& seen, double input, time_point now);

  /// A request was admitted: a guess that refusals have raised comes down again, slowly, to what was seen.
  void admitted(const request_size& size);

  /// A request was refused though its estimate fitted. Others may have been there; twice in a row speaks against it.
  void refused(const request_size& size);

  /// A request that fits only if less than its maximum is charged was refused: until `now` plus a while, no other asks.
  void maximum_charged(time_point now);

  static constexpr double default_output = 512;      // while nothing is known of requests without a maximum
  static constexpr double highest_default = 16'384;  // the most seen charged for them

  learned_output save(time_point now) const;
  void restore(const learned_output& s, time_point saved);

 private:
  std::optional<double> known_default(time_point now) const { return now < default_until_ ? default_ : std::nullopt; }
  std::optional<double> known_cap(time_point now) const { return now < cap_until_ ? cap_ : std::nullopt; }
  void observe_default(double most, bool alone, time_point now);
  void observe_maximum(double maximum, const seen_charge& seen, double input, time_point now);
  void support_cap(double charge, double input, time_point now);

  std::optional<double> default_;  // charged for a missing maximum
  double default_seen_ = 0;        // the same, before refusals raised it
  time_point default_until_{};

  std::optional<double> cap_;  // no more is charged for any maximum
  time_point cap_until_{};
  double cap_from_ = 0, cap_to_ = 0;  // where it lies by the charges that support one
  bool supported_ = false;

  unsigned refusals_ = 0;  // in a row
  unsigned doubts_ = 0;    // in a row that were refused
  time_point charged_until_{};
};

}  // namespace cooldown
