// What was taken from a limit within the last window, and when each part expires.
#pragma once

#include <deque>
#include <vector>

#include "cooldown/limit/learned_limit.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Exact up to 8,192 entries. Above that, entries taken within 1/2,048 of the window are merged and expire together,
/// the earlier ones late by at most that, never too early. Times given to add() and leave() must not run backwards.
class spending_log {
 public:
  /// Expired amounts stay "fresh" for `fresh_for`: a grace period before they are relied on.
  explicit spending_log(duration window, duration fresh_for = {}) : window_(window), fresh_for_(fresh_for) {}

  void add(double n, time_point at);

  /// Removes `n` from what was added at `taken`; nothing if that has expired. Returns how much was removed.
  double give_back(double n, time_point taken);

  /// Drops what has expired by `now`, and returns how much that was.
  double leave(time_point now);

  /// Multiplies all amounts by `factor`.
  void scale(double factor);

  void clear();

  double sum() const { return sum_; }
  bool empty() const { return entries_.empty(); }
  /// Number of entries kept; bounded.
  std::size_t size() const { return entries_.size() + fresh_.size(); }

  /// Calls `visit(n, when)` for each part, fresh ones included, ordered by `when` its grace period ends.
  template <class Visitor>
  void for_each_return(Visitor visit) const {
    for (auto const* part : {&fresh_, &entries_})
      for (auto const& e : *part) visit(e.amount, e.last + window_ + fresh_for_);
  }

  /// When the oldest part was taken. The log must not be empty.
  time_point oldest() const { return entries_.front().first; }

  /// The expired amounts in their grace period.
  double fresh() const { return fresh_sum_; }

  /// When `n` units, fresh ones included, will have expired and passed their grace period; or all, if there are fewer.
  time_point when_left(double n, time_point now) const;

  /// The amounts, oldest first, merged to at most a few hundred parts.
  std::vector<spent_part> parts(time_point now) const;
  /// Replaces everything by the state as of `saved`. False: the data is invalid, and nothing has changed.
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
