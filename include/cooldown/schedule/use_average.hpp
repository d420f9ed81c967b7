// How many of their reserved tokens a client's requests use.
#pragma once

#include "cooldown/schedule/learned_state.hpp"

namespace cooldown {

/// Slow averages, and the expectation for the next request.
class use_average {
 public:
  /// No request uses more tokens than this; a larger maximum is not meant seriously, and would dwarf what others are
  /// charged.
  static constexpr double most_tokens = 1e7;

  void observe(double reserved, double used);

  /// Expected use of a request with this reservation: by the average share of reservations or by the average use,
  /// whichever has been more accurate lately.
  double expected(double reserved) const;

  bool known() const { return seen_ > 0; }
  double share() const { return share_; }
  /// The most that one request has used lately; 0: unknown.
  double largest() const { return largest_; }

  learned_use save() const;
  void restore(const learned_use& s);

 private:
  double share_ = 1;
  double mean_ = 0;
  double share_error_ = 0;  // tokens
  double mean_error_ = 0;
  double largest_ = 0;
  unsigned seen_ = 0;
};

}  // namespace cooldown
