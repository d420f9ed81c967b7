// Newcomers that wait while all places are taken.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// Where clients come from: an IPv4 address, or a /64 network of IPv6, since whoever has one has all its addresses.
using network_id = std::uint64_t;
network_id network_of(const asio::ip::address& a);

/// How many places each network has taken.
using places_by_network = std::unordered_map<network_id, std::size_t>;

struct newcomer {
  tcp_socket socket;
  network_id from;
};

/// Lets in first who comes from where the fewest places are taken. Behind a crowd in the kernel's backlog nobody could
/// be seen, so the crowd is taken in, and of those who are too many for the door the crowd's own are turned away.
class door {
 public:
  static constexpr std::size_t room = 16;

  bool empty() const { return waiting_.empty(); }

  /// If it is one too many, the last is turned away of the network from which most wait.
  void come(newcomer n);

  /// Where the next is from. Not when empty.
  network_id next(const places_by_network& taken) const;

  /// The first who came from there.
  tcp_socket let_in(network_id from);

 private:
  std::list<newcomer> waiting_;  // in order of their coming
};

}  // namespace cooldown::net
