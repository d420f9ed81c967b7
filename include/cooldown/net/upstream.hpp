// The provider according to one configuration.
#pragma once

#include <functional>
#include <memory>

#include "cooldown/net/breaker_gate.hpp"
#include "cooldown/net/settings.hpp"
#include "cooldown/net/upstream_pool.hpp"
#include "cooldown/observe/failure_rate.hpp"

namespace cooldown::net {

/// One peer, until a reload names another: its connections, and its health.
struct provider {
  /// `changed` is called after everything that may change the breaker's state or the number of requests that wait for
  /// it.
  provider(asio::io_context& io, deadline_sweep& sweep, const pool_settings& where, const breaker_policy& policy,
           std::function<void()> changed)
      : pool(io, sweep, where), breaker(policy), gate(io, breaker, std::move(changed)) {}

  upstream_pool pool;
  circuit_breaker breaker;
  breaker_gate gate;
  observe::failure_rate failures;
  circuit_breaker::state breaker_was = circuit_breaker::state::closed;  // when upstreams last looked
  bool serves_without_v1 = false;                                       // it has answered a path without /v1 with 2xx

  /// The provider has been replaced. Requests already sent finish there; waiting ones have to use the new one.
  void retire() {
    pool.retire();
    gate.retire();
  }
};

/// Everything that one attempt needs, from one configuration; immutable, except the provider's counters. A reload makes
/// a new one, with the same provider if the peer is the same.
struct upstream {
  settings_ptr settings;
  const config::upstream_settings* of = nullptr;  // in `settings`: origin, path, names of models
  std::string key;                                // of the account; empty: none
  std::shared_ptr<net::provider> provider;

  bool is_first() const { return of == &settings->cerebras; }
  /// Whether a client's own credential may go there.
  bool takes_client_keys() const { return key.empty() && of->pass_client_key; }
};

using upstream_ptr = std::shared_ptr<const upstream>;

/// The provider for these settings, which stand at `path` of the configuration: `before` (may be null) if the peer is
/// the same. Throws std::runtime_error if their TLS settings cannot be used. Files are read again, even under the same
/// names.
std::shared_ptr<provider> make_provider(asio::io_context& io, deadline_sweep& sweep,
                                        const config::upstream_settings& settings, const std::string& path,
                                        std::function<void()> changed, const std::shared_ptr<provider>& before);

breaker_policy breaker_of(const config::upstream_settings& settings);

/// The settings of that name; null: there are none.
const config::upstream_settings* settings_named(const config::settings& all, std::string_view name);

}  // namespace cooldown::net
