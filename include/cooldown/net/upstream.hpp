// A provider, as one configuration describes it.
#pragma once

#include <functional>
#include <memory>

#include "cooldown/net/breaker_gate.hpp"
#include "cooldown/net/upstream_pool.hpp"
#include "cooldown/observe/failure_rate.hpp"

namespace cooldown::net {

/// One peer, for as long as reloads do not name another: connections to it, and what is known of its health.
struct provider {
  /// `changed` is called after everything that may change the breaker's state, or the number of those who wait for it.
  provider(asio::io_context& io, deadline_sweep& sweep, const pool_settings& where, const breaker_policy& policy,
           std::function<void()> changed)
      : pool(io, sweep, where), breaker(policy), gate(io, breaker, std::move(changed)) {}

  upstream_pool pool;
  circuit_breaker breaker;
  breaker_gate gate;
  observe::failure_rate failures;
  bool serves_without_v1 = false;  // it has answered 2xx to a path that does not begin with /v1

  /// Another one has taken its place. What has been sent to it ends there; whoever waits is to ask the other one.
  void retire() {
    pool.retire();
    gate.retire();
  }
};

/// Immutable, but for what the provider keeps count of: all that one attempt needs, from one configuration. A reload
/// makes another one, with the same provider if it names that.
struct upstream {
  std::shared_ptr<const config::settings> settings;  // origin, path, key
  std::shared_ptr<net::provider> provider;
};

using upstream_ptr = std::shared_ptr<const upstream>;

/// What the settings name. Throws std::runtime_error if their TLS settings cannot be used. Files are read again, also
/// under the same names. `before`, if there is one, lends its provider if that is the same.
upstream_ptr make_upstream(asio::io_context& io, deadline_sweep& sweep, const config::settings& settings,
                           std::function<void()> changed, const upstream* before);

}  // namespace cooldown::net
