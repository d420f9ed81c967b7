// How much of the tokens that requests use is taken of one limit in the end.
#pragma once

#include <algorithm>

namespace cooldown {

/// A limit may count cached inputs or not, or outputs alone. What answers tell of that, and what headers show beyond,
/// is summed up over some fifty answers.
class charged_part {
 public:
  /// An answer is over that used `used` tokens; `charged` of them were taken, as far as it told.
  void count(double used, double charged) {
    used_ += used - forgotten * used_;
    charged_ += charged - forgotten * charged_;
  }

  /// A header has shown that so much less was taken (negative: more).
  void count_surprise(double less) {
    if (used_ > 0) charged_ -= less;
  }

  double value() const { return used_ > 0 ? std::clamp(charged_ / used_, 0.0, most) : 1; }

 private:
  static constexpr double forgotten = 0.02;
  static constexpr double most = 2;  // beyond, it was others

  double used_ = 0;
  double charged_ = 0;
};

}  // namespace cooldown
