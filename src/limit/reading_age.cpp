#include "cooldown/limit/reading_age.hpp"

#include <algorithm>

namespace cooldown {
namespace {

// So many replicas with caches of their own are told apart.
constexpr std::size_t most_replicas = 8;

// Older copies are taken for news: else a belief that expects the wrong thing would silence what refutes it.
constexpr duration oldest_copy = std::chrono::seconds{90};

}  // namespace

bool reading_age::repeats(const rate_limit_snapshot& s, bool surprising, time_point sent) {
  values now;
  for (auto const& [id, shown] : s.limits) *now.get(id) = shown.remaining;
  auto const found = std::find_if(seen_.begin(), seen_.end(), [&](auto const& each) { return each.remaining == now; });
  if (found != seen_.end()) {
    if (surprising && sent - found->sent <= oldest_copy) return true;
    seen_.erase(found);
  } else if (seen_.size() == most_replicas) {
    seen_.pop_front();
  }
  seen_.push_back({now, sent});
  return false;
}

}  // namespace cooldown
