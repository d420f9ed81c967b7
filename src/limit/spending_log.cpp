#include "cooldown/limit/spending_log.hpp"

#include <algorithm>

namespace cooldown {
namespace {

constexpr std::size_t most_entries = 8192;

// Merged entries span at most this part of the window, so at least half of the room is free after a merge: of any two
// neighbours that are left, both together span more.
constexpr int finest_part = 2048;

// What is saved is as fine as a restart needs: what leaves does so this part of the window late at most.
constexpr int saved_parts = 256;
constexpr double most_units = 1e15;

}  // namespace

void spending_log::add(double n, time_point at) {
  sum_ += n;
  if (!entries_.empty() && at <= entries_.back().last) {
    entries_.back().amount += n;
    return;
  }
  if (entries_.size() == most_entries) merge();
  entries_.push_back({at, at, n});
}

double spending_log::give_back(double n, time_point taken) {
  auto const found =
      std::lower_bound(entries_.begin(), entries_.end(), taken, [](auto const& e, auto t) { return e.last < t; });
  if (found == entries_.end() || found->first > taken) return 0;
  double const change = std::min(n, found->amount);
  found->amount -= change;
  sum_ -= change;
  return change;
}

double spending_log::leave(time_point now) {
  double left = 0;
  while (!entries_.empty() && entries_.front().last + window_ <= now) {
    left += entries_.front().amount;
    if (fresh_for_ > duration::zero()) fresh_.push_back(entries_.front());
    entries_.pop_front();
  }
  sum_ = entries_.empty() ? 0 : sum_ - left;  // rounding errors do not outlive the entries
  fresh_sum_ += left;
  while (!fresh_.empty() && fresh_.front().last + window_ + fresh_for_ <= now) {
    fresh_sum_ -= fresh_.front().amount;
    fresh_.pop_front();
  }
  if (fresh_.empty()) fresh_sum_ = 0;
  return left;
}

void spending_log::scale(double factor) {
  for (auto& e : entries_) e.amount *= factor;
  sum_ *= factor;
}

void spending_log::clear() {
  entries_.clear();
  fresh_.clear();
  sum_ = 0;
  fresh_sum_ = 0;
}

time_point spending_log::when_left(double n, time_point now) const {
  auto at = now;
  double left = 0;
  for (auto const* part : {&fresh_, &entries_}) {
    for (auto const& e : *part) {
      if (left >= n) return at;
      left += e.amount;
      at = std::max(at, e.last + window_ + fresh_for_);
    }
  }
  return at;
}

std::vector<spent_part> spending_log::parts(time_point now) const {
  std::vector<spent_part> parts;
  time_point begun{};
  for (auto const& e : entries_) {
    if (!(e.amount > 0)) continue;
    if (parts.empty() || e.last - begun > window_ / saved_parts) {
      begun = e.first;
      parts.push_back({});
    }
    parts.back().ago = now - e.last;
    parts.back().amount += e.amount;
  }
  return parts;
}

bool spending_log::restore(const std::vector<spent_part>& parts, time_point saved) {
  learned_reader read(saved);
  spending_log log(window_, fresh_for_);
  if (parts.size() > most_entries) return false;
  for (auto const& p : parts) {
    auto const at = read.past(p.ago);
    double const amount = read.number(p.amount, 0, most_units);
    if (!read.sane()) return false;
    log.add(amount, at);
  }
  *this = std::move(log);
  return true;
}

void spending_log::merge() {
  std::deque<entry> merged;
  for (auto const& e : entries_) {
    if (!merged.empty() && e.last - merged.back().first <= window_ / finest_part) {
      merged.back().last = e.last;
      merged.back().amount += e.amount;
    } else {
      merged.push_back(e);
    }
  }
  entries_ = std::move(merged);
}

}  // namespace cooldown
