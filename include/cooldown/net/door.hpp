// New clients that wait while the maximum number of connections is reached.
#pragma once

#include <cstdint>
#include <list>
#include <unordered_map>

#include "cooldown/net/asio.hpp"

namespace cooldown::net {

/// The network of a client: an IPv4 address, or a /64 network of IPv6, because its owner has all addresses in it.
using network_id = std::uint64_t;
network_id network_of(const asio::ip::address& a);

/// Number of connections by network.
using places_by_network = std::unordered_map<network_id, std::size_t>;

struct newcomer {
  tcp_socket socket;
  network_id from;
};

/// Lets in first the client whose network has the fewest connections. Clients are accepted from the kernel's backlog
/// early, because behind a crowd there nobody else could be seen; if too many wait, the network with the most waiting
/// loses one.
class door {
 public:
  static constexpr std::size_t room = 16;

  bool empty() const { return waiting_.empty(); }

  /// Adds a client. If that is one too many, closes the last client of the network with the most waiting.
  void come(newcomer n);

  /// The network of the next client to let in. There must be one.
  network_id next(const places_by_network& taken) const;

  /// The first client of that network.
  tcp_socket let_in(network_id from);

 private:
  std::list<newcomer> waiting_;  // in order of arrival
};

}  // namespace cooldown::net
