// What was taken of a limit within the last window, and when each part of it leaves.
#pragma once

#include <deque>
#include <vector>

#include "cooldown/limit/learned_limit.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Exact up to 8,192 entries; beyond, those taken within 1/2,048 of the window are merged and leave together, the
/// earlier ones late by that much at most: never too early.
/// Times given to add() and leave() must not run backwards.
class spending_log {
 public:
  /// What has left counts as fresh for `fresh_for`.
  explicit spending_log(duration window, duration fresh_for = {}) : window_(window), fresh_for_(fresh_for) {}

  void add(double n, time_point at);

  /// Takes `n` off what was added at `taken`; nothing when that has left. Returns what was taken off.
  double give_back(double n, time_point taken);

  /// Drops what has left by `now`, and returns how much that was.
  double leave(time_point now);

  /// Everything was misjudged by this factor.
  void scale(double factor);

  void clear();

  double sum() const { return sum_; }
  bool empty() const { return entries_.empty(); }
  /// How many entries it keeps; bounded.
  std::size_t size() const { return entries_.size() + fresh_.size(); }

  /// Calls `visit(n, when)` for each part that is fresh or here, in order of when it is fresh no more.
  template <class Visitor>
  void for_each_return(Visitor visit) const {
    for (auto const* part : {&fresh_, &entries_})
      for (auto const& e : *part) visit(e.amount, e.last + window_ + fresh_for_);
  }

  /// When the oldest part was taken; only when not empty.
  time_point oldest() const { return entries_.front().first; }

  /// How much of what has left is fresh.
  double fresh() const { return fresh_sum_; }

  /// Earliest time by which `n` of what is fresh or here will have left and be fresh no more; when all will, if that is
  /// less.
  time_point when_left(double n, time_point now) const;

  /// What is here, the oldest first, in a few hundred parts at most.
  std::vector<spent_part> parts(time_point now) const;
  /// In place of everything, as it was at `saved`. False: that makes no sense, and nothing has changed.
  bool restore(const std::vector<spent_part>& parts, time_point saved);

 private:
  struct entry {
    time_point first;  // when the first of its parts was taken
    time_point last;
    double amount;
  };
  void merge();

  duration window_;
  duration fresh_for_;
  std::deque<entry> entries_;
  std::deque<entry> fresh_;
  double sum_ = 0;
  double fresh_sum_ = 0;
};

}  // namespace cooldown
