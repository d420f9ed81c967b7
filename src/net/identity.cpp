#include "cooldown/net/identity.hpp"

#include <charconv>
#include <fstream>
#include <optional>
#include <random>

#include <fmt/format.h>

// All of it without OpenSSL: to initialize it takes 2 MB of memory, and a third of the instructions of a start.
namespace cooldown::net {
namespace {

/// 128 bits as 32 hexadecimal digits.
std::optional<sip_key> machine_id() {
  std::ifstream file("/etc/machine-id");
  std::string id;
  sip_key key{};
  constexpr std::size_t half = 16;
  if (!(file >> id) || id.size() != half * key.size()) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    auto const* const from = id.data() + i * half;
    auto const [end, ec] = std::from_chars(from, from + half, key[i], 16);
    if (ec != std::errc{} || end != from + half) return std::nullopt;
  }
  return key;
}

}  // namespace

std::string keyed_hash(std::string_view key, std::string_view text) {
  auto const half = key.size() / 2;
  return fmt::format("{:016x}{:016x}", sip_hash(sip_key_of(key.substr(0, half)), text),
                     sip_hash(sip_key_of(key.substr(half)), text));
}

identity::identity() {
  // The id itself is not to be used (machine-id(5)), but what can be made of it for one purpose.
  if (auto const id = machine_id()) {
    key_ = {sip_hash(*id, "cooldown-proxy names of keys, 1"), sip_hash(*id, "cooldown-proxy names of keys, 2")};
    return;
  }
  std::random_device source;
  for (auto& half : key_) half = std::uint64_t{source()} << 32U | source();
}

std::string identity::short_hash(std::string_view secret) const {
  return fmt::format("{:06x}", sip_hash(key_, secret) >> 40U);
}

}  // namespace cooldown::net
