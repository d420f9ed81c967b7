#include "cooldown/limit/reckoning.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cooldown {

reckoning::mark reckoning::take(double n, time_point now) {
  level_ -= n;
  if (pending_.size() == most_pending) {
    forgotten_ = pending_.front().sequence;
    drop_first();
  }
  pending_.push_back({next_, now, n});
  pending_sum_ += n;
  return {.sequence = next_++, .income = income_, .refunds = refunds_, .level = level_ - corrections_};
}

void reckoning::refill(double n) {
  level_ += n;
  income_ += n;
}

void reckoning::refund(double n, time_point now) {
  refill(n);
  refunds_ += n;
  if (history_.size() == most_refunds) history_.pop_front();
  history_.push_back({now, refunds_});
}

/// Where the history has been forgotten, the oldest sum that is known: rather too much than too little.
double reckoning::refunds_until(time_point t) const {
  auto const after =
      std::upper_bound(history_.begin(), history_.end(), t, [](auto when, auto const& r) { return when < r.at; });
  if (after != history_.begin()) return std::prev(after)->sum;
  return history_.size() == most_refunds ? after->sum : 0;
}

reckoning::pending* reckoning::find(std::uint64_t sequence) {
  auto const found = std::ranges::lower_bound(pending_, sequence, {}, &pending::sequence);
  return found != pending_.end() && found->sequence == sequence ? &*found : nullptr;
}

void reckoning::answered(std::uint64_t sequence) {
  auto* const found = find(sequence);
  if (!found) return;
  pending_sum_ -= found->n;
  if (found->silent) silent_sum_ -= found->n;
  found->n = 0;
  while (!pending_.empty() && pending_.front().n == 0) pending_.pop_front();
  if (pending_.empty() && copied_.empty()) pending_sum_ = 0;  // rounding errors do not outlive it
}

void reckoning::drop_first() {
  pending_sum_ -= pending_.front().n;
  if (pending_.front().silent) silent_sum_ -= pending_.front().n;
  pending_.pop_front();
  if (pending_.empty()) silent_sum_ = 0;
}

void reckoning::untake(const mark& m, double n) {
  auto const before = pending_sum_;
  answered(m.sequence);
  // Where it counted as included in what was seen, it is not taken off any more.
  bool const unseen = count_ == 0 && m.sequence <= forgotten_ && m.sequence != 0;
  if (pending_sum_ != before || unseen) level_ += n;
}

void reckoning::correct(const mark& m, double by) {
  auto* const found = find(m.sequence);
  if (!found || found->n <= by) return;
  found->n -= by;
  pending_sum_ -= by;
  if (found->silent) silent_sum_ -= by;
  level_ += by;
}

void reckoning::cap(double capacity) {
  if (level_ <= capacity) return;
  income_ -= level_ - capacity;
  level_ = capacity;
}

void reckoning::include_until(time_point cutoff) {
  while (!pending_.empty() && pending_.front().sent < cutoff) {
    drop_first();
  }
  if (pending_.empty() && copied_.empty()) pending_sum_ = 0;
}

void reckoning::not_shown(const mark& m, time_point sent) {
  auto const before = pending_sum_;
  answered(m.sequence);
  double const n = before - pending_sum_;
  if (n <= 0) return;
  pending_sum_ = before;
  if (!copied_.empty() && sent - copied_.back().sent < reordering) {
    copied_.back().sent = std::max(copied_.back().sent, sent);
    copied_.back().n += n;
    return;
  }
  if (copied_.size() == most_copied) {
    pending_sum_ -= copied_.front().n;
    copied_.pop_front();
  }
  copied_.push_back({sent, n});
}

void reckoning::answered_silently(const mark& m, time_point sent) {
  auto* const found = find(m.sequence);
  if (found && found->sent == sent && !std::exchange(found->silent, true)) silent_sum_ += found->n;
}

void reckoning::include_copied(time_point sent) {
  while (!copied_.empty() && copied_.front().sent < sent) {
    pending_sum_ -= copied_.front().n;
    copied_.pop_front();
  }
}

double reckoning::lowest() const {
  return *std::min_element(lows_.begin(), lows_.begin() + static_cast<std::ptrdiff_t>(std::min(count_, groups)));
}

double reckoning::observe(const mark& m, double remaining, time_point sent, time_point now) {
  answered(m.sequence);
  double const meanwhile = refunds_until(std::min(now, sent + reordering)) - m.refunds;
  double const low = remaining - m.income - std::max(0.0, meanwhile);
  if (count_ == 0 || sent > group_start_ + reordering) {
    lows_[count_++ % groups] = low;
    group_start_ = sent;
  } else {
    auto& last = lows_[(count_ - 1) % groups];
    last = std::min(last, low);
  }
  latest_sent_ = std::max(latest_sent_, sent);
  include_copied(sent);
  include_until(latest_sent_ - reordering);
  double change = lowest() + income_ - pending_sum_ - level_;
  // What seems to be missing may be what the lowest remaining includes already.
  if (change < 0) change = std::min(0.0, change + silent_sum_);
  level_ += change;
  corrections_ += change;
  return change;
}

void reckoning::lower(double by) {
  for (auto& low : lows_) low -= by;
  level_ -= by;
  corrections_ -= by;
}

void reckoning::restart(double level) {
  level_ = level;
  income_ = 0;
  refunds_ = 0;
  history_.clear();
  corrections_ = 0;
  pending_.clear();
  copied_.clear();
  pending_sum_ = silent_sum_ = 0;
  forgotten_ = 0;
  count_ = 0;
  latest_sent_ = {};
}

}  // namespace cooldown
