// What sessions need to serve clients and to judge them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "cooldown/exchange/body_room.hpp"
#include "cooldown/net/client_rules.hpp"
#include "cooldown/net/client_tls.hpp"
#include "cooldown/net/identity.hpp"
#include "cooldown/net/settings.hpp"
#include "cooldown/net/telemetry.hpp"

namespace cooldown::net {

class client_connection;

class client_port {
 public:
  /// Throws std::runtime_error when the TLS settings cannot be used. `salt`: empty: a random one.
  client_port(asio::io_context& context, deadline_sweep& deadlines, net::telemetry& tell, settings_ptr settings,
              const std::string& salt = {});

  /// From now on clients are served by these settings; `renewed` is of their TLS files.
  void apply(settings_ptr settings, std::shared_ptr<tls_server> renewed);

  /// The current settings. Sessions copy the pointer for each exchange.
  const settings_ptr& settings() const { return settings_; }
  /// Their rules for clients.
  const client_rules& rules() const { return rules_; }

  /// Remembers the name of a key; `id` is its hash.
  void name_key(std::uint64_t id, std::string_view key);

  /// A salted hash of a credential; the credential itself is not kept.
  std::uint64_t credential_of(std::string_view authorization) const;

  /// A salted hash that identifies equal requests; never 0.
  std::uint64_t hash_of(std::string_view method, std::string_view target, std::string_view body) const;

  asio::io_context& io;
  deadline_sweep& sweep;
  net::telemetry& telemetry;
  const std::string pseudonym;  // unique name of this process in Via, by which a request that comes back is recognized
  const std::string via;        // the value of our Via header
  std::shared_ptr<tls_server> tls;  // for new clients; null: plain HTTP
  std::string url;                  // of the main port, as in the log
  bool draining = false;
  std::function<void()> when_empty;  // called while draining when the last connection has been closed
  std::uint64_t next_request_id = 1;
  body_room bodies;  // memory of all requests, from the first byte read to the end of the exchange
  std::set<client_connection*> connections;  // open connections, each of which removes itself

 private:
  client_rules rules_of(const config::settings& settings) const;

  settings_ptr settings_;
  std::string salt_;
  identity identity_;
  client_rules rules_;
};

}  // namespace cooldown::net
