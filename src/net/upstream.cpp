#include "cooldown/net/upstream.hpp"

#include <algorithm>
#include <utility>

namespace cooldown::net {
namespace {

pool_settings pool_of(const config::upstream_settings& s, const std::string& path) {
  pool_settings out;
  out.path = path;
  out.origin = s.base_url;
  out.tls = s.tls;
  if (out.origin.tls && out.tls.verify) out.authorities = authorities_of(out.tls);
  return out;
}

}  // namespace

breaker_policy breaker_of(const config::upstream_settings& s) {
  auto const& b = s.circuit_breaker;
  return {.failure_threshold = b.failure_threshold, .open_for = b.open_for, .half_open_requests = b.half_open_requests};
}

std::shared_ptr<provider> make_provider(asio::io_context& io, deadline_sweep& sweep,
                                        const config::upstream_settings& settings, const std::string& path,
                                        std::function<void()> changed, const std::shared_ptr<provider>& before) {
  auto const where = pool_of(settings, path);
  if (before && before->pool.settings().same_peer(where)) return before;
  return std::make_shared<provider>(io, sweep, where, breaker_of(settings), std::move(changed));
}

const config::upstream_settings* settings_named(const config::settings& all, std::string_view name) {
  if (all.cerebras.name == name) return &all.cerebras;
  auto const found = std::find_if(all.upstreams.begin(), all.upstreams.end(), [&](auto& u) { return u.name == name; });
  return found == all.upstreams.end() ? nullptr : &*found;
}

}  // namespace cooldown::net
