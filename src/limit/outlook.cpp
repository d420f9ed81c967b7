#include "cooldown/limit/outlook.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// Sums of doubles differ in their last digits.
constexpr double epsilon = 1e-6;

// What comes back within so small a part of the window comes together, at the end of it.
constexpr int finest_part = 512;

}  // namespace

void outlook::comes_back(double n, time_point when) {
  if (coming_.size() > next_ && when >= coming_.back().at) {
    auto& last = coming_.back();
    if (when - last.since > is_.window / finest_part) return coming_.push_back({when, when, n});
    last.at = when;
    last.n += n;
    return;
  }
  auto const later = std::upper_bound(coming_.begin() + static_cast<std::ptrdiff_t>(next_), coming_.end(), when,
                                      [](time_point t, const coming& c) { return t < c.at; });
  coming_.insert(later, {when, when, n});
}

time_point outlook::ready_at(double n) const {
  n = std::min(n, is_.capacity);
  double missing = n + is_.kept.of(n, is_.capacity) - is_.level;
  if (missing <= epsilon) return at_;
  switch (is_.model) {
    case refill::continuous:
      return at_ + duration_of_seconds(missing / is_.rate);
    case refill::window:
      return is_.window_end;
    case refill::sliding:
      for (auto i = next_; i < coming_.size(); ++i)
        if ((missing -= coming_[i].n) <= epsilon) return coming_[i].at;
      return coming_.size() > next_ ? coming_.back().at : at_ + is_.window;
  }
  return at_;
}

void outlook::advance(time_point t) {
  if (t <= at_) return;
  switch (is_.model) {
    case refill::continuous:
      is_.level = std::min(std::max(is_.level, is_.capacity), is_.level + is_.rate * seconds_of(t - at_));
      break;
    case refill::window:
      if (is_.window_end <= t) {
        is_.level = is_.capacity;
        is_.window_start = is_.window_end + (t - is_.window_end) / is_.window * is_.window;
        is_.window_end = is_.window_start + is_.window;
      }
      break;
    case refill::sliding:
      for (; next_ < coming_.size() && coming_[next_].at <= t; ++next_) is_.level += coming_[next_].n;
      // Others' part is not in our log: when all that is there has come back, so has theirs.
      is_.level = next_ == coming_.size() ? is_.capacity : std::min(is_.level, is_.capacity);
      break;
  }
  at_ = t;
}

void outlook::take(double n) {
  is_.level -= n;
  if (is_.model == refill::sliding) comes_back(n, at_ + is_.window);
}

void outlook::give_back(double n, time_point taken) {
  if (is_.model == refill::window && taken < is_.window_start) return;
  if (is_.model == refill::sliding) {
    if (taken + is_.window <= at_) return;
    comes_back(-n, taken + is_.window);
  }
  is_.level = std::min(std::max(is_.level, is_.capacity), is_.level + n);
}

duration outlook::time_for(double n, double there) const {
  double missing = n - std::max(0.0, there);
  if (missing <= 0) return duration::zero();
  if (is_.model == refill::continuous) return duration_of_seconds(missing / is_.rate);
  if (is_.model == refill::sliding) {
    for (auto i = next_; i < coming_.size(); ++i)
      if ((missing -= coming_[i].n) <= epsilon) return coming_[i].at - at_;
    auto const all = coming_.size() > next_ ? coming_.back().at - at_ : duration::zero();
    return all + duration_of_seconds(missing / is_.rate);
  }
  double const windows = std::min(1e4, std::floor(missing / is_.capacity));
  return is_.window_end - at_ + is_.window * static_cast<duration::rep>(windows);
}

}  // namespace cooldown
