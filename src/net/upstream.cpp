#include "cooldown/net/upstream.hpp"

namespace cooldown::net {
namespace {

breaker_policy breaker_of(const config::settings& s) {
  auto const& b = s.cerebras.circuit_breaker;
  return {.failure_threshold = b.failure_threshold, .open_for = b.open_for, .half_open_requests = b.half_open_requests};
}

pool_settings pool_of(const config::settings& s) {
  pool_settings out;
  out.origin = s.cerebras.base_url;
  out.tls = s.cerebras.tls;
  if (out.origin.tls && out.tls.verify) out.authorities = authorities_of(out.tls);
  return out;
}

}  // namespace

upstream_ptr make_upstream(asio::io_context& io, deadline_sweep& sweep, settings_ptr settings,
                           std::function<void()> changed, const upstream* before) {
  auto const where = pool_of(*settings);
  auto made = std::make_shared<upstream>();
  if (before && before->provider->pool.settings().same_peer(where)) {
    made->provider = before->provider;
    made->provider->breaker.configure(breaker_of(*settings));
  } else {
    made->provider = std::make_shared<provider>(io, sweep, where, breaker_of(*settings), std::move(changed));
  }
  made->settings = std::move(settings);
  return made;
}

}  // namespace cooldown::net
