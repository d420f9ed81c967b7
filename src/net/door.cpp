#include "cooldown/net/door.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cooldown::net {
namespace {

std::size_t count_of(const places_by_network& taken, network_id of) {
  auto const found = taken.find(of);
  return found != taken.end() ? found->second : 0;
}

}  // namespace

network_id network_of(const asio::ip::address& a) {
  if (a.is_v4()) return a.to_v4().to_uint();
  auto const v6 = a.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint();
  network_id out = 0;
  auto const bytes = v6.to_bytes();
  for (std::size_t i = 0; i < sizeof out; ++i) out = out << 8 | bytes[i];
  return out;
}

void door::come(newcomer n) {
  waiting_.push_back(std::move(n));
  if (waiting_.size() <= room) return;
  places_by_network here;
  for (auto const& w : waiting_) ++here[w.from];
  auto const fewer = [&](const newcomer& a, const newcomer& b) { return here[a.from] < here[b.from]; };
  auto const last = std::max_element(waiting_.rbegin(), waiting_.rend(), fewer);
  waiting_.erase(std::next(last).base());
}

network_id door::next(const places_by_network& taken) const {
  auto const fewer = [&](const newcomer& a, const newcomer& b) {
    return count_of(taken, a.from) < count_of(taken, b.from);
  };
  return std::min_element(waiting_.begin(), waiting_.end(), fewer)->from;
}

tcp_socket door::let_in(network_id from) {
  auto const first = std::find_if(waiting_.begin(), waiting_.end(), [&](const newcomer& n) { return n.from == from; });
  auto socket = std::move(first->socket);
  waiting_.erase(first);
  return socket;
}

}  // namespace cooldown::net
