// The part of used tokens that one limit counts in the end.
#pragma once

#include <algorithm>

namespace cooldown {

/// A limit may or may not count cached inputs, or only outputs. Sums up what answers say and what headers show about
/// that over some fifty answers.
class charged_part {
 public:
  /// An answer has ended that used `used` tokens; by its usage, `charged` of them count for the limit.
  void count(double used, double charged) {
    used_ += used - forgotten * used_;
    charged_ += charged - forgotten * charged_;
  }

  /// A header has shown that `less` fewer units were charged (negative: more).
  void count_surprise(double less) {
    if (used_ > 0) charged_ -= less;
  }

  double value() const { return used_ > 0 ? std::clamp(charged_ / used_, 0.0, most) : 1; }

 private:
  static constexpr double forgotten = 0.02;
  static constexpr double most = 2;  // a larger value is due to other users

  double used_ = 0;
  double charged_ = 0;
};

}  // namespace cooldown
