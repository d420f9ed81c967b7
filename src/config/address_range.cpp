#include "cooldown/config/address_range.hpp"

#include <algorithm>

#include <arpa/inet.h>

#include "cooldown/text/ascii.hpp"

namespace cooldown::config {
namespace {

constexpr unsigned mapped_bits = 96;

/// `bits` leading bits of the address, the rest zero.
address_bytes masked(address_bytes address, unsigned bits) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    auto const kept = std::clamp(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
    address[i] = static_cast<std::uint8_t>(address[i] & (0xff00U >> static_cast<unsigned>(kept)));
  }
  return address;
}

}  // namespace

std::optional<address_bytes> read_address(std::string_view text) {
  address_bytes bytes{};
  std::string const plain(text.substr(0, text.find('%')));
  if (inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1) return bytes;
  bytes[10] = bytes[11] = 0xff;
  if (inet_pton(AF_INET, plain.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

bool address_range::contains(const address_bytes& address) const {
  return masked(address, bits) == first;
}

range_reading read_address_range(std::string_view text) {
  auto const slash = text.find('/');
  auto const written = text.substr(0, slash);
  auto const first = written.find('%') == std::string_view::npos ? read_address(written) : std::nullopt;
  if (!first) return {std::nullopt, "expected an IP address, or a block such as 10.0.0.0/8"};
  address_range range{*first, 128};
  if (slash == std::string_view::npos) return {range, ""};
  bool const v4 = written.find(':') == std::string_view::npos;
  auto const bits = parse_u64(text.substr(slash + 1));
  if (!bits || *bits > (v4 ? 32U : 128U))
    return {std::nullopt, std::string("must have between 0 and ") + (v4 ? "32" : "128") + " bits after the '/'"};
  range.bits = static_cast<unsigned>(*bits) + (v4 ? mapped_bits : 0);
  if (!range.contains(range.first)) return {std::nullopt, "has bits set beyond its prefix length"};
  return {range, ""};
}

}  // namespace cooldown::config
