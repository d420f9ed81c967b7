#include "quota/provider.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto foreign_step = 50ms;
constexpr std::int64_t foreign_request = 50;  // tokens: what a step of the usual 60,000 a minute takes

/// Seeds differ in where the provider's windows end.
wall_time first_moment(unsigned seed) {
  return wall_time{std::chrono::hours{490'000}} + std::chrono::seconds{seed * 37 % 60};
}

sim::model_limits scaled(sim::model_limits limits, double factor) {
  for (const char* const key : {"rps", "rpm", "rph", "rpd", "tpm", "tph", "tpd"}) {
    auto* const limit = sim::find_limit(limits, key);
    *limit = std::llround(static_cast<double>(*limit) * factor);
  }
  return limits;
}

sim::quota_rules rules_of(const workload& w, wall_time start) {
  auto rules = w.rules;
  rules.wall_at_epoch = start.time_since_epoch();
  return rules;
}

}  // namespace

provider::provider(event_loop& loop, const workload& w, unsigned seed, duration length, std::function<void()> changed)
    : loop_(loop), w_(w), changed_(std::move(changed)), random_(seed), wall_at_start_(first_moment(seed)) {
  for (int i = 0; i < w.models; ++i) models_.emplace_back(w.limits, rules_of(w, wall_at_start_));
  if (w.spent > 0) spend(w.spent);
  for (auto const& change : w.changes) {
    loop_.after(duration_of_seconds(seconds_of(length) * change.at), [this, f = change.factor] { change_limits(f); });
  }
  if (w.foreign) loop_.after(foreign_step, [this] { foreign_tick(); });
}

std::optional<provider_refusal> provider::arrive(call& c, rate_headers& headers) {
  auto const answer = quota_of(c).admit(c.facts, now());
  if (auto const* const no = std::get_if<sim::refused>(&answer)) {
    auto const exact = no->retry_after.value_or(60s);
    provider_refusal why{{}, sim::quota_error(no->what, no->per, false), w_.bare_refusals ? 60s : ceil_seconds(exact)};
    if (!w_.bare_refusals) why.headers = shown(no->readings);
    why.headers.push_back({"retry-after", std::to_string(ceil_seconds(why.retry_after).count())});
    return why;
  }
  auto const& yes = std::get<sim::admitted>(answer);
  c.held = yes.held;
  headers = shown(yes.readings);
  changed_();
  return std::nullopt;
}

void provider::settle(call& c, int output) {
  if (!c.held) return;
  quota_of(c).settle(*c.held, {.input = c.facts.input_tokens, .cached = 0, .output = output}, now());
  c.held.reset();
  used_ += static_cast<double>(c.facts.input_tokens + output);
  changed_();
}

std::optional<time_point> provider::admissible_at(const call& c) {
  auto& quota = quota_of(c);
  auto const when = quota.next_admission(quota.cost_of(c.facts), now());
  if (!when) return std::nullopt;
  return loop_.start() + *when;
}

std::int64_t provider::left_for(const call& c) {
  auto const readings = quota_of(c).readings(now());
  auto const tightest = std::min_element(readings.begin(), readings.end(),
                                         [](const auto& a, const auto& b) { return a.remaining < b.remaining; });
  return tightest == readings.end() ? 0 : tightest->remaining;
}

rate_headers provider::shown(const std::vector<sim::quota_reading>& readings) {
  rate_headers fields;
  bool const missing = w_.headers_missing > 0 && std::bernoulli_distribution(w_.headers_missing)(random_);
  if (now() <= w_.headers_until && !missing) fields = sim::render_headers(w_.headers, readings);
  fields.push_back({"date", sim::date_text(wall())});
  return fields;
}

void provider::spend(double share) {
  auto const amount = std::llround(static_cast<double>(w_.limits.tpm) * share);
  for (auto& each : models_) {
    auto const answer = each.admit({.input_tokens = amount, .cached_tokens = 0, .max_output = 0}, now());
    if (auto const* const yes = std::get_if<sim::admitted>(&answer)) {
      each.settle(yes->held, {.input = amount, .cached = 0, .output = 0}, now());
    }
  }
}

void provider::change_limits(double factor) {
  for (auto& each : models_) each.set_limits(scaled(w_.limits, factor), now());
  changed_();
}

/// Small requests in quick succession: they find room as soon as there is any, and never overdraw.
void provider::foreign_tick() {
  auto const phase = now() % w_.foreign->period;
  if (phase > w_.foreign->period / 2) {
    foreign_wanted_ = 0;
  } else {
    foreign_wanted_ += static_cast<double>(w_.foreign->tpm) / 60 * seconds_of(foreign_step);
    sim::request_facts const small{.input_tokens = foreign_request, .cached_tokens = 0, .max_output = 0};
    bool admitted = true;
    while (admitted && foreign_wanted_ >= foreign_request) {
      auto const answer = models_[0].admit(small, now());
      auto const* const yes = std::get_if<sim::admitted>(&answer);
      admitted = yes != nullptr;
      if (!admitted) break;
      models_[0].settle(yes->held, {.input = foreign_request, .cached = 0, .output = 0}, now());
      foreign_wanted_ -= foreign_request;
    }
    changed_();
  }
  loop_.after(foreign_step, [this] { foreign_tick(); });
}

}  // namespace cooldown::bench
