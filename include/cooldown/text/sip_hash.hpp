// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of which nobody without the key can tell what it was made
// of.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cooldown {

using sip_key = std::array<std::uint64_t, 2>;

/// Of sixteen bytes; if there are fewer, the others are zero.
sip_key sip_key_of(std::string_view bytes);

std::uint64_t sip_hash(const sip_key& key, std::string_view text);

}  // namespace cooldown
