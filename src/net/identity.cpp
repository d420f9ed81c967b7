#include "cooldown/net/identity.hpp"

#include <array>
#include <random>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <systemd/sd-id128.h>

namespace cooldown::net {
namespace {

constexpr sd_id128_t application{
    {0x5b, 0x1d, 0xc6, 0x0e, 0x37, 0x9a, 0x4f, 0x28, 0x8c, 0x14, 0xe2, 0x75, 0x0a, 0xb3, 0x6d, 0x91}};

}  // namespace

identity::identity() {
  sd_id128_t id{};
  if (sd_id128_get_machine_app_specific(application, &id) >= 0) {
    key_.assign(reinterpret_cast<const char*>(id.bytes), sizeof id.bytes);
    return;
  }
  std::random_device source;
  while (key_.size() < sizeof id.bytes) key_ += static_cast<char>(source());
}

std::string identity::short_hash(std::string_view secret) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(secret.data()),
       secret.size(), digest.data(), &size);
  return fmt::format("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]);
}

}  // namespace cooldown::net
