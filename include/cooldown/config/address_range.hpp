// IP addresses and blocks of them, for matching clients.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cooldown::config {

/// An address as IPv6. IPv4 is mapped (RFC 4291 §2.5.5.2), so that one comparison works for both.
using address_bytes = std::array<std::uint8_t, 16>;

/// Reads an IPv4 or IPv6 address; a zone is dropped. nullopt: not an address.
std::optional<address_bytes> read_address(std::string_view text);

/// One address, or a block of them in CIDR notation (RFC 4632).
struct address_range {
  address_bytes first{};
  unsigned bits = 128;  // of the mapped address
  bool contains(const address_bytes& address) const;
  bool operator==(const address_range&) const = default;
};

/// "192.0.2.7", "10.0.0.0/8", "2001:db8::/32".
struct range_reading {
  std::optional<address_range> range;
  std::string why;  // why `range` is empty
};
range_reading read_address_range(std::string_view text);

}  // namespace cooldown::config
