// Estimates the tokens that a provider reserves for an output: its maximum, if that is given and charged in full.
#pragma once

#include <optional>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/schedule/request_size.hpp"
#include "cooldown/schedule/seen_charge.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Starts from the documented rule, the maximum. Headers teach what is charged without a maximum, and whether there is
/// a cap. What is not confirmed for an hour is forgotten.
class output_estimator {
 public:
  /// Estimated tokens charged for the output. `careful`: until headers have shown better, a missing maximum counts as
  /// the most that accounts have been seen to charge for one.
  double tokens(const request_size& size, bool careful, time_point now) const;

  /// Lower bound of that charge: some accounts charge 16,384 for any larger maximum.
  double least(const request_size& size, time_point now) const;

  /// Learns from the charge of one request, whose input is estimated as `input` tokens. Returns true if estimates have
  /// changed.
  bool observe(const request_size& size, const seen_charge& seen, double input, time_point now);

  /// A request was admitted: a guess that refusals have raised comes down again slowly, to what was seen.
  void admitted(const request_size& size);

  /// A request was refused although its estimate fitted. Others may have used the quota; two refusals in a row count as
  /// evidence.
  void refused(const request_size& size);

  /// A request that fits only if less than its maximum is charged was refused: for a while after `now`, no such request
  /// is sent.
  void maximum_charged(time_point now);

  static constexpr double default_output = 512;      // until something is known about requests without a maximum
  static constexpr double highest_default = 16'384;  // the most seen charged for one

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
  double cap_from_ = 0, cap_to_ = 0;  // range of the cap by the charges that support one
  bool supported_ = false;

  unsigned refusals_ = 0;  // in a row
  unsigned doubts_ = 0;    // in a row that were refused
  time_point charged_until_{};
};

}  // namespace cooldown
