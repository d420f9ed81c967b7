#include "cooldown/net/client_port.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <random>
#include <utility>

#include <fmt/format.h>

namespace cooldown::net {
namespace {

std::string random_pseudonym() {
  std::random_device source;
  return fmt::format("cooldown-proxy-{:08x}{:08x}", source(), source());
}

std::string random_salt() {
  std::random_device source;
  std::string salt;
  for (int i = 0; i < 4; ++i) salt += std::to_string(source());
  return salt;
}

}  // namespace

client_port::client_port(asio::io_context& context, deadline_sweep& deadlines, net::telemetry& tell,
                         settings_ptr settings, const std::string& salt)
    : io(context),
      sweep(deadlines),
      telemetry(tell),
      pseudonym(random_pseudonym()),
      via("1.1 " + pseudonym),
      tls(make_tls_server(settings->server.tls)),
      settings_(std::move(settings)),
      salt_(salt.empty() ? random_salt() : salt),
      rules_(rules_of(*settings_)) {}

void client_port::apply(settings_ptr settings, std::shared_ptr<tls_server> renewed) {
  tls = std::move(renewed);
  settings_ = std::move(settings);
  rules_ = rules_of(*settings_);
  telemetry.names.renew();
}

client_rules client_port::rules_of(const config::settings& settings) const {
  return {settings.cerebras, [this](std::string_view text) { return credential_of(text); }};
}

void client_port::name_key(std::uint64_t id, std::string_view key) {
  bool const one = settings_->upstreams.empty() && settings_->cerebras.api_keys.size() <= 1;
  if (one) telemetry.names.see(0, [] { return std::string("configured key"); });
  telemetry.names.see(id, [&] {
    if (key.empty()) return std::string("no key");
    auto const name = rules_.name_of_key(id);
    return name.empty() ? "key " + identity_.short_hash(key) : std::string(name);
  });
}

std::uint64_t client_port::credential_of(std::string_view authorization) const {
  std::array<char, 256> room;
  if (salt_.size() + authorization.size() > room.size())
    return std::hash<std::string>{}(salt_ + std::string(authorization));
  auto* const end =
      std::copy(authorization.begin(), authorization.end(), std::copy(salt_.begin(), salt_.end(), room.begin()));
  return std::hash<std::string_view>{}({room.data(), static_cast<std::size_t>(end - room.begin())});
}

std::uint64_t client_port::hash_of(std::string_view method, std::string_view target, std::string_view body) const {
  // Bodies are large: they are not copied in order to be salted. Who makes two of its own alike fools itself only.
  auto const of_body = std::hash<std::string_view>{}(body);
  auto const salted = fmt::format("{}{} {} {}", salt_, method, target, of_body);
  return std::max<std::uint64_t>(1, std::hash<std::string>{}(salted));
}

}  // namespace cooldown::net
