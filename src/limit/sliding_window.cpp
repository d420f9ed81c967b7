#include "cooldown/limit/sliding_window.hpp"

#include <algorithm>

namespace cooldown {
namespace {

constexpr double most_units = 1e15;  // that make sense

std::size_t index_of(std::int64_t slot, std::size_t size) {
  auto const n = static_cast<std::int64_t>(size);
  return static_cast<std::size_t>(((slot % n) + n) % n);
}

}  // namespace

void sliding_window::advance(time_point now) {
  auto const slot = slot_at(now);
  if (slot <= current_) return;
  if (current_ == INT64_MIN || slot - current_ > slots) {
    amounts_.fill(0);
  } else {
    for (auto s = current_ + 1; s <= slot; ++s) amounts_[index_of(s, amounts_.size())] = 0;
  }
  current_ = slot;
  // Summed anew rather than subtracted, so that rounding errors do not pile up over days.
  total_ = 0;
  for (double const a : amounts_) total_ += a;
}

double sliding_window::used(time_point now) {
  advance(now);
  return total_;
}

time_point sliding_window::ready_at(double n, time_point now) {
  advance(now);
  double left = total_;
  double const allowed = std::max(0.0, limit_ - n);
  if (left <= allowed) return now;
  // Slot s leaves when slot s + 61 begins.
  for (auto s = current_ - slots; s <= current_; ++s) {
    left -= amounts_[index_of(s, amounts_.size())];
    if (left <= allowed + 1e-9) return time_point{duration{(s + slots + 1) * slot_length_.count()}};
  }
  return now + slot_length_ * (slots + 1);
}

outlook sliding_window::ahead(time_point now) {
  advance(now);
  auto const length = slot_length_ * slots;
  outlook result({.model = refill::sliding,
                  .level = limit_ - total_,
                  .capacity = limit_,
                  .rate = limit_ / seconds_of(length),
                  .window = length},
                 now);
  // Slot s leaves when slot s + 61 begins.
  for (auto s = current_ - slots; s <= current_; ++s) {
    double const n = amounts_[index_of(s, amounts_.size())];
    if (n > 0) result.comes_back(n, time_point{duration{(s + slots + 1) * slot_length_.count()}});
  }
  return result;
}

void sliding_window::record(double n, time_point now) {
  advance(now);
  amounts_[index_of(current_, amounts_.size())] += n;
  total_ += n;
}

std::vector<spent_part> sliding_window::parts(time_point now) {
  advance(now);
  std::vector<spent_part> parts;
  for (auto s = current_ - slots; s <= current_; ++s) {
    auto const amount = amounts_[index_of(s, amounts_.size())];
    auto const end = time_point{duration{(s + 1) * slot_length_.count()}};
    if (amount > 0) parts.push_back({.ago = std::max(duration::zero(), now - end), .amount = amount});
  }
  return parts;
}

void sliding_window::restore(const std::vector<spent_part>& parts, time_point saved) {
  sliding_window restored(limit_, slot_length_ * slots);
  learned_reader read(saved);
  for (auto const& p : parts) {
    auto const at = read.past(p.ago);
    double const amount = read.number(p.amount, 0, most_units);
    if (!read.sane()) return;
    restored.record(amount, at);
  }
  *this = restored;
}

void sliding_window::give_back(double n, time_point then, time_point now) {
  advance(now);
  auto const slot = slot_at(then);
  if (slot < current_ - slots || slot > current_) return;
  auto& amount = amounts_[index_of(slot, amounts_.size())];
  double const after = std::max(0.0, amount - n);
  total_ += after - amount;
  amount = after;
}

}  // namespace cooldown
