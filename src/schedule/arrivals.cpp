#include "cooldown/schedule/arrivals.hpp"

namespace cooldown {

void arrivals::forget_oldest() {
  auto const& [until, which] = order_.front();
  // It may have been taken over, and kept again since.
  if (auto const found = kept_.find(which); found != kept_.end() && found->second == until) kept_.erase(found);
  order_.pop_front();
}

void arrivals::keep(const request& of, std::uint64_t arrival, time_point now) {
  if (of.body == 0) return;
  auto const until = now + lifetime;
  while (!order_.empty() && (order_.size() >= most || order_.front().first <= now)) forget_oldest();
  kept_[{of, arrival}] = until;
  order_.emplace_back(until, key{of, arrival});
}

std::optional<std::uint64_t> arrivals::take(const request& of, time_point now) {
  if (of.body == 0) return std::nullopt;
  while (!order_.empty() && order_.front().first <= now) forget_oldest();
  auto const oldest = kept_.lower_bound({of, 0});
  if (oldest == kept_.end() || oldest->first.first != of) return std::nullopt;
  auto const arrival = oldest->first.second;
  kept_.erase(oldest);
  return arrival;
}

}  // namespace cooldown
