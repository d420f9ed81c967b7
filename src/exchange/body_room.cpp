#include "cooldown/exchange/body_room.hpp"

#include <algorithm>

namespace cooldown {
namespace {

// Less than this the allocator may keep for the next requests.
constexpr std::size_t worth_giving_back = 64 * 1024 * 1024;

/// How many times what is left free may be held.
struct share {
  std::size_t large;
  std::size_t small;
};
constexpr share of_client{3, 7};
constexpr share of_network{7, 15};

template <class Accounts>
std::size_t held_by(const Accounts& all, std::uint64_t id) {
  auto const found = all.find(id);
  return found != all.end() ? found->second : 0;
}

template <class Accounts>
void reduce(Accounts& all, std::uint64_t id, std::size_t n) {
  auto const found = all.find(id);
  found->second -= n;
  if (found->second == 0) all.erase(found);
}

}  // namespace

body_room::answer body_room::take(const owner& of, std::size_t size, std::size_t n, const bounds& b) {
  if (n == 0) return answer::taken;
  if (n > b.most || total_ > b.most - n) return answer::full;
  auto const left = b.most - total_ - n;
  bool const small = size + n <= small_body;
  auto const reserve = std::min(b.most / 16, b.most - b.largest_body);
  if (!small && left < reserve) return answer::full;
  auto const fits = [&](std::size_t held, const share& most) {
    return held + n <= std::max(b.largest_body, (small ? most.small : most.large) * left);
  };
  if (!fits(held_by(clients_, of.client), of_client) || !fits(held_by(networks_, of.network), of_network))
    return answer::share_used_up;
  auto& client = clients_[of.client];
  networks_[of.network] += n;
  client += n;
  total_ += n;
  peak_ = std::max(peak_, total_);
  return answer::taken;
}

bool body_room::has_emptied() {
  if (peak_ - total_ < worth_giving_back || total_ > peak_ / 4) return false;
  peak_ = total_;
  return true;
}

void body_room::give_back(const owner& of, std::size_t n) {
  if (n == 0) return;
  total_ -= n;
  reduce(clients_, of.client, n);
  reduce(networks_, of.network, n);
}

}  // namespace cooldown
