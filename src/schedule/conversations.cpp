#include "cooldown/schedule/conversations.hpp"

namespace cooldown {

void conversations::remember(std::uint64_t prefix, std::uint64_t destination, time_point now) {
  auto const known = by_prefix_.find(prefix);
  if (known != by_prefix_.end()) {
    *known->second = {prefix, destination, now};
    order_.splice(order_.end(), order_, known->second);
  } else {
    by_prefix_[prefix] = order_.insert(order_.end(), {prefix, destination, now});
  }
  while (order_.size() > most || now - order_.front().last > lifetime) {
    by_prefix_.erase(order_.front().prefix);
    order_.pop_front();
  }
}

std::optional<std::uint64_t> conversations::find(std::uint64_t prefix, time_point now) const {
  auto const known = by_prefix_.find(prefix);
  if (known == by_prefix_.end() || now - known->second->last > lifetime) return std::nullopt;
  return known->second->destination;
}

}  // namespace cooldown
