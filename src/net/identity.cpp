#include "cooldown/net/identity.hpp"

#include <array>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace cooldown::net {
namespace {

using digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

digest mac(std::string_view key, std::string_view text) {
  digest found{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), found.data(), &size);
  return found;
}

/// Bytes; as many as keep the names from being guessed by who does not know them.
constexpr std::size_t key_size = 16;

}  // namespace

std::string keyed_hash(std::string_view key, std::string_view text) {
  auto const made = mac(key, text);
  return fmt::format("{:02x}", fmt::join(made.begin(), made.begin() + key_size, ""));
}

identity::identity() {
  std::ifstream file("/etc/machine-id");
  // The id itself is not to be used (machine-id(5)), but what can be made of it for one purpose.
  if (std::string id; file >> id) {
    auto const made = mac(id, "cooldown-proxy names of keys");
    key_.assign(made.begin(), made.begin() + key_size);
    return;
  }
  std::random_device source;
  while (key_.size() < key_size) key_ += static_cast<char>(source());
}

std::string identity::short_hash(std::string_view secret) const {
  auto const made = mac(key_, secret);
  return fmt::format("{:02x}{:02x}{:02x}", made[0], made[1], made[2]);
}

}  // namespace cooldown::net
