#include "cooldown/net/limiter_setup.hpp"

namespace cooldown::net {
namespace {

configured_limits limits_of(const config::model_limits& m) {
  configured_limits out;
  auto const set = [&](resource r, window w, const std::optional<std::uint64_t>& limit) {
    if (limit) out.limit[{r, w}] = static_cast<double>(*limit);
  };
  set(resource::requests, window::minute, m.rpm);
  set(resource::requests, window::hour, m.rph);
  set(resource::requests, window::day, m.rpd);
  set(resource::tokens, window::minute, m.tpm);
  set(resource::tokens, window::hour, m.tph);
  set(resource::tokens, window::day, m.tpd);
  set(resource::total_tokens, window::minute, m.total_tpm);
  set(resource::total_tokens, window::hour, m.total_tph);
  set(resource::total_tokens, window::day, m.total_tpd);
  return out;
}

std::optional<refill> refill_of(config::replenishment r) {
  switch (r) {
    case config::replenishment::window:
      return refill::window;
    case config::replenishment::continuous:
      return refill::continuous;
    case config::replenishment::sliding:
      return refill::sliding;
    case config::replenishment::automatic:
      break;
  }
  return std::nullopt;
}

}  // namespace

limiter_settings limiter_of(const config::settings& s, const config::upstream_settings& upstream) {
  auto const& c = upstream;
  auto const& queue = s.cerebras.queue;
  limiter_settings out;
  out.quota.use_headers = c.rate_limits.use_headers && s.features.header_based_rate_limiting;
  out.quota.header_fallback = c.rate_limits.header_fallback;
  out.quota.header_timeout = c.rate_limits.header_timeout;
  out.quota.reset_buffer = c.rate_limits.reset_buffer;
  out.quota.rpm_limit = static_cast<double>(c.rpm_limit);
  out.quota.tpm_limit = static_cast<double>(c.tpm_limit);
  out.quota.replenishment = refill_of(c.rate_limits.replenishment);
  for (auto const& [model, limits] : c.limits) {
    if (model == "*") {
      out.quota.limits = limits_of(limits);
    } else {
      out.models.emplace(model, limits_of(limits));
    }
  }
  out.dialect = c.speaks();
  out.headers = c.rate_limits.headers;
  out.ageing = queue.ageing.value_or(std::chrono::milliseconds::zero());
  out.max_depth = queue.max_depth;
  out.max_bytes = queue.max_bytes;
  out.max_in_flight = queue.max_in_flight;
  return out;
}

}  // namespace cooldown::net
