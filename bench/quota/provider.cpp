#include "quota/provider.hpp"

#include <algorithm>

#include "cooldown/dialect/refusal.hpp"

namespace cooldown::bench {
namespace {

/// The ends of the provider's windows depend on the seed.
wall_time first_moment(unsigned seed) {
  return wall_time{std::chrono::hours{490'000}} + std::chrono::seconds{seed * 37 % 60};
}

sim::provider_settings begun_at(sim::provider_settings settings, wall_time start) {
  settings.rules.wall_at_epoch = start.time_since_epoch();
  return settings;
}

std::string name_of(int model) {
  return "m" + std::to_string(model);
}

std::vector<sim::model_spec> models_of(const sim::provider_settings& settings) {
  std::vector<sim::model_spec> all;
  for (int i = 0; i < settings.models; ++i) all.push_back({name_of(i), settings.limits});
  return all;
}

}  // namespace

provider::provider(event_loop& loop, const sim::provider_settings& settings, unsigned seed, duration length,
                   std::function<void()> changed)
    : loop_(loop),
      changed_(std::move(changed)),
      wall_at_start_(first_moment(seed)),
      provider_(begun_at(settings, wall_at_start_), models_of(settings), false, length, seed) {
  for (int i = 0; i < settings.models; ++i) models_.push_back(provider_.quotas().find(name_of(i)));
  arm();
}

void provider::arm() {
  auto const next = provider_.next_event();
  if (!next) return;
  loop_.at(loop_.start() + *next, [this] {
    if (provider_.advance(now())) changed_();
    arm();
  });
}

std::optional<refusal> provider::arrive(call& c, rate_headers& headers) {
  auto answer = provider_.arrive(quota_of(c), c.facts, c.bad, now());
  if (auto* const no = std::get_if<sim::provider_refusal>(&answer)) {
    refusal why{std::move(*no), {}};
    // The provider sends Date together with the rate-limit headers.
    auto const& rules = provider_.settings();
    bool const dated = why.limit ? rules.refusals == sim::refusal_style::telling : rules.headers_on_errors;
    if (dated) why.headers.push_back({"date", sim::date_text(wall())});
    why.retry_after = retry_after_of(view(why.headers), wall());
    return why;
  }
  auto& yes = std::get<sim::grant>(answer);
  c.held = yes.held;
  headers = std::move(yes.headers);
  headers.push_back({"date", sim::date_text(wall())});
  changed_();
  return std::nullopt;
}

void provider::settle(call& c, int output) {
  if (!c.held) return;
  quota_of(c).settle(*c.held, {.input = c.facts.input_tokens, .cached = c.facts.cached_tokens, .output = output},
                     now());
  c.held.reset();
  used_ += static_cast<double>(c.facts.input_tokens + output);
  changed_();
}

std::optional<time_point> provider::admissible_at(const call& c) {
  auto const when = provider_.next_admission(quota_of(c), c.facts, now());
  if (!when) return std::nullopt;
  return *when == sim::nanoseconds::max() ? time_point::max() : loop_.start() + *when;
}

std::int64_t provider::left_for(const call& c) {
  auto const readings = quota_of(c).readings(now());
  auto const tightest = std::min_element(readings.begin(), readings.end(),
                                         [](const auto& a, const auto& b) { return a.remaining < b.remaining; });
  return tightest == readings.end() ? 0 : tightest->remaining;
}

}  // namespace cooldown::bench
