#include "cooldown/schedule/run_ahead.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {

duration run_ahead::expected_answer(const cost& c) const {
  return c.lasts > duration::zero() ? c.lasts : answer_time_;
}

void run_ahead::under_way(double n, const cost& c, time_point sent) {
  start(n, c, sent, expected_answer(c));
}

void run_ahead::start(double n, const cost& c, time_point sent, duration lasts) {
  answers_.push_back({std::max(at_, sent + lasts), sent, n, c});
  std::push_heap(answers_.begin(), answers_.end());
  under_way_ += n;
}

void run_ahead::advance(time_point t) {
  at_ = std::max(at_, t);
  for (auto& o : requests_) o.advance(at_);
  for (auto& each : tokens_) each.left.advance(at_);
}

void run_ahead::end_next() {
  auto const a = answers_.front();
  std::pop_heap(answers_.begin(), answers_.end());
  answers_.pop_back();
  advance(a.ends);
  under_way_ -= a.requests;
  for (auto& each : tokens_) each.left.give_back(each.unused(a.tokens), a.sent);
}

time_point run_ahead::ready_at(const cost& c) const {
  auto at = at_;
  for (auto const& o : requests_) at = std::max(at, o.ready_at(1));
  for (auto const& each : tokens_) at = std::max(at, each.left.ready_at(each.reserved(c)));
  if (c.kept > 0 && savings_ < tokens_.size()) {
    auto const& o = tokens_[savings_].left;
    at = std::max(at, o.ready_at(c.reserved + o.most_saved(c.reserved, c.kept)));
  }
  return at;
}

time_point run_ahead::release(const cost& c) {
  advance(at_);
  while (!answers_.empty()) {
    bool const full = under_way_ + 1 > most_under_way_;
    if (!full && ready_at(c) < answers_.front().ends) break;
    end_next();
  }
  advance(ready_at(c));
  auto const went = at_;
  for (auto& o : requests_) o.take(1);
  for (auto& each : tokens_) each.left.take(each.reserved(c));
  start(1, c, went, duration_of_seconds(seconds_of(expected_answer(c)) * longer_));
  at_ += spacing_;
  return went;
}

/// Of what is reserved for the answers under way, more may come back than does while things flow evenly: what the first
/// have left, after a burst.
duration run_ahead::time_for(const token_limit& l, double n, const cost& all) const {
  auto const& o = l.left;
  double const reserved = l.reserved(all);
  double coming = o.level();
  for (auto const& a : answers_) coming += l.unused(a.tokens);
  double const used = all.used * o.used_part();
  double const unused = (reserved - used) / n;
  double const evenly = o.rate() * seconds_of_answer() / std::max(1.0, used / n);  // answers under way
  auto const flows = o.time_for(used, coming - std::min(o.capacity(), evenly * unused));
  // What is reserved bounds how many answers are under way.
  return std::max(flows, duration_of_seconds(seconds_of_answer() * (reserved - o.capacity()) / o.capacity()));
}

time_point run_ahead::after(double n, const cost& all) const {
  if (n < 1) return at_ - spacing_;
  auto longest = duration_of_seconds(seconds_of(spacing_) * n);
  longest = std::max(longest, duration_of_seconds(seconds_of_answer() * n / most_under_way_));
  for (auto const& o : requests_) longest = std::max(longest, o.time_for(n, o.level()));
  for (auto const& each : tokens_) longest = std::max(longest, time_for(each, n, all));
  return at_ - spacing_ + longest;
}

}  // namespace cooldown
