// What a client's requests use of the tokens that are reserved for them.
#pragma once

#include "cooldown/schedule/learned_state.hpp"

namespace cooldown {

/// Slow averages, and what they lead one to expect of the next request.
class use_average {
 public:
  /// No request uses more tokens than this: beyond, a maximum is a word, and would drown what all others are charged.
  static constexpr double most_tokens = 1e7;

  void observe(double reserved, double used);

  /// What a request uses for which so much is reserved: the same share of it as the others, or as much as the others,
  /// whichever has come nearer lately.
  double expected(double reserved) const;

  bool known() const { return seen_ > 0; }
  double share() const { return share_; }
  /// The most that one has used lately; 0: nothing is known.
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
