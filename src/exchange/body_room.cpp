#include "cooldown/exchange/body_room.hpp"

#include <algorithm>

namespace cooldown {
namespace {

// Less than this the allocator may keep for the next requests.
constexpr std::size_t worth_giving_back = 64 * 1024 * 1024;

}  // namespace

body_room::answer body_room::take(std::uint64_t client, std::size_t size, std::size_t n, const bounds& b) {
  if (n == 0) return answer::taken;
  if (n > b.most || total_ > b.most - n) return answer::full;
  auto const left = b.most - total_ - n;
  bool const small = size + n <= small_body;
  auto const reserve = std::min(b.most / 16, b.most - b.largest_body);
  if (!small && left < reserve) return answer::full;
  auto const found = held_.find(client);
  auto const held = n + (found != held_.end() ? found->second : 0);
  auto const share = std::max(b.largest_body, (small ? 7 : 3) * left);
  if (held > share) return answer::share_used_up;
  held_[client] = held;
  total_ += n;
  peak_ = std::max(peak_, total_);
  return answer::taken;
}

bool body_room::has_emptied() {
  if (peak_ - total_ < worth_giving_back || total_ > peak_ / 4) return false;
  peak_ = total_;
  return true;
}

void body_room::give_back(std::uint64_t client, std::size_t n) {
  if (n == 0) return;
  auto const found = held_.find(client);
  total_ -= n;
  found->second -= n;
  if (found->second == 0) held_.erase(found);
}

}  // namespace cooldown
