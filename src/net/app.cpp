#include "cooldown/net/app.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>

#include "cooldown/net/memory.hpp"

namespace cooldown::net {
namespace {

constexpr std::size_t most_complaints = 64;

configured_limits limits_of(const config::model_limits& m) {
  configured_limits out;
  auto const set = [&](resource r, window w, const std::optional<std::uint64_t>& limit) {
    if (limit) out.limit[slot_of(r, w)] = static_cast<double>(*limit);
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

limiter_settings limiter_of(const config::settings& s) {
  auto const& c = s.cerebras;
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
  out.ageing = c.queue.ageing.value_or(std::chrono::milliseconds::zero());
  out.max_depth = c.queue.max_depth;
  out.max_bytes = c.queue.max_bytes;
  out.max_in_flight = c.queue.max_in_flight;
  return out;
}

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

/// Writes access lines a moment after the first of them.
struct app::log_flusher final : deadline_sweep::entry {
  explicit log_flusher(app& a) : entry(a.sweep), shared(a) {}
  void expired() override {
    armed = false;
    shared.log.flush();
  }
  void arm() {
    if (!std::exchange(armed, true)) set(deadline_sweep::resolution);
  }
  app& shared;
  bool armed = false;
};

app::app(asio::io_context& context, const config::settings& settings, observe::log& log_to)
    : io(context),
      log(log_to),
      pseudonym(random_pseudonym()),
      via("1.1 " + pseudonym),
      limiter(limiter_of(settings)),
      sweep(context),
      gate(context, limiter),
      tls(make_tls_server(settings.server.tls)),
      upstream_(make_upstream(
          context, sweep, settings, [this] { bound_in_flight(); }, nullptr)),
      in_flight_bound_(settings.cerebras.queue.max_in_flight),
      salt_(random_salt()),
      rules_(rules_of(settings)),
      flusher_(std::make_unique<log_flusher>(*this)),
      sampler_(context) {}

app::~app() {
  // Look-ups that are under way have nobody to tell.
  provider().retire();
}

void app::finished(observe::access_record record) {
  stats.record_request(record);
  if (log.access(record)) flusher_->arm();
  history.record(std::move(record), wall_now());
  keep_history();
}

void app::keep_history() {
  last_request_ = steady_now();
  if (!sampling_ && !draining) sample();
}

void app::sample() {
  sampling_ = false;
  auto const now = steady_now();
  history.sample(observe::scopes_of(sources(), now, 0), now, wall_now());
  if (draining || now - last_request_ > observe::history::span) return;
  sampler_.expires_after(observe::history::interval);
  sampler_.async_wait([this](error_code ec) {
    if (!ec) sample();
  });
  sampling_ = true;
}

void app::stop_history() {
  sampler_.cancel();
}

client_rules app::rules_of(const config::settings& settings) const {
  return {settings.cerebras, [this](std::string_view text) { return credential_of(text); }};
}

void app::reconfigure(const config::settings& settings) {
  // Only these two can fail. The files are read again even under the same names: that is how a certificate is renewed.
  auto renewed = make_tls_server(settings.server.tls);
  last_reserve const whole;
  auto const before =
      std::exchange(upstream_, make_upstream(
                                   io, sweep, settings, [this] { bound_in_flight(); }, upstream_.get()));
  tls = std::move(renewed);
  limiter.configure(limiter_of(settings), steady_now());
  rules_ = rules_of(settings);
  names.renew();
  log.configure(settings.logging);
  in_flight_bound_ = settings.cerebras.queue.max_in_flight;
  if (before->provider != upstream_->provider) {
    opened_before_ += before->provider->pool.opened();
    before->provider->retire();
  }
  provider().gate.update();
  gate.update();
}

void app::bound_in_flight() {
  last_reserve const whole;
  auto const& settings = *upstream_->settings;
  auto const configured = settings.cerebras.queue.max_in_flight;
  auto bound = configured;
  if (provider().breaker.current(steady_now()) != circuit_breaker::state::closed) {
    auto const trials = std::max<std::size_t>(1, settings.cerebras.circuit_breaker.half_open_requests);
    auto const others = limiter.in_flight() - std::min(limiter.in_flight(), provider().gate.held());
    bound = configured == 0 ? others + trials : std::min(configured, others + trials);
  }
  if (bound == in_flight_bound_) return;
  in_flight_bound_ = bound;
  auto changed = limiter_of(settings);
  changed.max_in_flight = bound;
  limiter.configure(changed, steady_now());
  gate.update();
}

observe::sources app::sources() const {
  return {.counts = stats,
          .past = history,
          .limiter = limiter,
          .breaker = provider().breaker,
          .failures = provider().failures,
          .held = held,
          .called = names,
          .idle_upstream_connections = provider().pool.idle(),
          .upstream_connections_opened = opened_before_ + provider().pool.opened(),
          .url = url,
          .draining = draining,
          .uptime_seconds = seconds_of(steady_now() - started_)};
}

void app::name_key(std::uint64_t id, std::string_view key) {
  names.see(0, [] { return std::string("configured key"); });
  names.see(id, [&] {
    if (key.empty()) return std::string("no key");
    auto const name = rules_.name_of_key(id);
    return name.empty() ? "key " + identity_.short_hash(key) : std::string(name);
  });
}

std::uint64_t app::credential_of(std::string_view authorization) const {
  std::array<char, 256> room;
  if (salt_.size() + authorization.size() > room.size())
    return std::hash<std::string>{}(salt_ + std::string(authorization));
  auto* const end =
      std::copy(authorization.begin(), authorization.end(), std::copy(salt_.begin(), salt_.end(), room.begin()));
  return std::hash<std::string_view>{}({room.data(), static_cast<std::size_t>(end - room.begin())});
}

std::uint64_t app::hash_of(std::string_view method, std::string_view target, std::string_view body) const {
  // Bodies are large: they are not copied in order to be salted. Who makes two of its own alike fools itself only.
  auto const of_body = std::hash<std::string_view>{}(body);
  auto const salted = fmt::format("{}{} {} {}", salt_, method, target, of_body);
  return std::max<std::uint64_t>(1, std::hash<std::string>{}(salted));
}

void app::complain_once(const std::string& problem) {
  if (problem.empty() || complaints_.size() >= most_complaints || !complaints_.insert(problem).second) return;
  log.warn("rate-limit headers of the provider: " + problem + " (said once)");
}

}  // namespace cooldown::net
