#include "quota/provider.hpp"

#include <algorithm>
#include <cmath>

#include "cooldown/dialect/refusal.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto foreign_step = 50ms;
constexpr double foreign_request = 50;  // tokens: what a step of the usual 60,000 a minute takes

/// Seeds differ in where the provider's windows end.
wall_time first_moment(unsigned seed) {
  return wall_time{std::chrono::hours{490'000}} + std::chrono::seconds{seed * 37 % 60};
}

sim::model_limits scaled(sim::model_limits limits, double factor) {
  for (const char* const key : {"rps", "rpm", "rph", "rpd", "tpm", "tph", "tpd"}) {
    auto* const limit = sim::find_limit(limits, key);
    if (*limit > 0) *limit = std::max(1LL, std::llround(static_cast<double>(*limit) * factor));
  }
  return limits;
}

sim::quota_rules rules_of(const provider_settings& w, wall_time start) {
  auto rules = w.rules;
  rules.wall_at_epoch = start.time_since_epoch();
  return rules;
}

}  // namespace

provider::provider(event_loop& loop, const workload& w, unsigned seed, duration length, std::function<void()> changed)
    : loop_(loop),
      w_(w.provider),
      changed_(std::move(changed)),
      random_(seed),
      wall_at_start_(first_moment(seed)),
      snapshots_(static_cast<std::size_t>(w.provider.models)),
      fate_(seed + 0x5eedULL) {
  for (int i = 0; i < w_.models; ++i) models_.emplace_back(w_.limits, rules_of(w_, wall_at_start_));
  spend();
  for (auto const& change : w_.changes) {
    loop_.after(duration_of_seconds(seconds_of(length) * change.at), [this, f = change.factor] { change_limits(f); });
  }
  if (w_.foreign) loop_.after(foreign_step, [this] { foreign_tick(); });
}

bool provider::chance(double share) {
  return share > 0 && std::bernoulli_distribution(share)(fate_);
}

std::optional<provider_refusal> provider::arrive(call& c, rate_headers& headers) {
  if (c.bad) return error_answer(c, 400, {"The request is not valid.", "invalid_request_error", "", "wrong_request"});
  if (chance(w_.failures)) return error_answer(c, 503, {"Service unavailable.", "server_error", "", "unavailable"});
  if (overloaded(c)) {
    auto why = error_answer(c, 429, sim::load_error());
    if (w_.load_retry_after) why.headers.push_back({"retry-after", *w_.load_retry_after});
    why.retry_after = retry_after_of(view(why.headers), wall());
    return why;
  }
  auto const answer = quota_of(c).admit(c.facts, now());
  if (auto const* const no = std::get_if<sim::refused>(&answer)) return quota_refusal(c, *no);
  auto const& yes = std::get<sim::admitted>(answer);
  c.held = yes.held;
  headers = shown(c.model, yes.readings);
  changed_();
  return std::nullopt;
}

bool provider::overloaded(const call& c) {
  if (w_.concurrency > 0 && quota_of(c).counters().in_flight >= w_.concurrency) return true;
  return w_.load && w_.load->when.covers(now()) && chance(w_.load->share);
}

provider_refusal provider::error_answer(const call& c, unsigned status, const sim::api_error& error) {
  provider_refusal why{.status = status, .error = error, .headers = {}, .retry_after = {}};
  if (w_.headers_on_errors) why.headers = shown(c.model, quota_of(c).readings(now()));
  return why;
}

provider_refusal provider::quota_refusal(const call& c, const sim::refused& no) {
  auto const exact = ceil_seconds(no.retry_after.value_or(60s));
  provider_refusal why;
  why.error = sim::quota_error(no.what, no.per, w_.limits.total_factor > 0);
  if (w_.refusals == refusal_style::generic) why.error = {"Rate limit exceeded.", "", "", ""};
  if (w_.refusals == refusal_style::telling) why.headers = shown(c.model, no.readings);
  why.headers.push_back({"retry-after", w_.retry_after.value_or(std::to_string(exact.count()))});
  why.retry_after = retry_after_of(view(why.headers), wall());
  return why;
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
  auto& quota = quota_of(c);
  if (w_.concurrency > 0 && quota.counters().in_flight >= w_.concurrency) return time_point::max();  // until one ends
  auto from = now();
  if (w_.load && w_.load->share >= 1 && w_.load->when.covers(from)) {
    auto const end = w_.load->when.end_after(from);
    if (!end) return std::nullopt;
    from = *end;
  }
  auto const when = quota.next_admission(quota.cost_of(c.facts), from);
  if (!when) return std::nullopt;
  return loop_.start() + *when;
}

std::int64_t provider::left_for(const call& c) {
  auto const readings = quota_of(c).readings(now());
  auto const tightest = std::min_element(readings.begin(), readings.end(),
                                         [](const auto& a, const auto& b) { return a.remaining < b.remaining; });
  return tightest == readings.end() ? 0 : tightest->remaining;
}

/// The readings as headers tell them: late, fixed, or absurd once.
std::vector<sim::quota_reading> provider::told(int model, std::vector<sim::quota_reading> readings) {
  if (w_.headers_stale > 0s) {
    auto& kept = snapshots_[static_cast<std::size_t>(model)];
    if (kept.readings.empty() || now() - kept.taken >= w_.headers_stale) kept = {now(), readings};
    readings = kept.readings;
  }
  if (w_.reset_says) {
    for (auto& each : readings) each.reset_after = *w_.reset_says;
  }
  if (w_.anomaly && !anomaly_told_ && now() >= w_.anomaly->at) {
    anomaly_told_ = true;
    for (auto& each : readings) {
      if (each.what != sim::resource::tokens || each.per != sim::period::minute) continue;
      each.remaining = std::llround(static_cast<double>(each.limit) * w_.anomaly->factor);
    }
  }
  return readings;
}

rate_headers provider::shown(int model, const std::vector<sim::quota_reading>& readings) {
  rate_headers fields;
  bool const missing = w_.headers_missing > 0 && std::bernoulli_distribution(w_.headers_missing)(random_);
  if (now() <= w_.headers_until && !missing) fields = sim::render_headers(w_.headers, told(model, readings));
  fields.push_back({"date", sim::date_text(wall())});
  return fields;
}

void provider::spend() {
  for (auto& each : models_) {
    for (auto const& reading : each.readings(now())) {
      for (auto const& spent : w_.spent) {
        if (spent.which.what != reading.what || spent.which.per != reading.per) continue;
        each.spend(spent.which, std::llround(static_cast<double>(reading.limit) * spent.share), now());
      }
    }
  }
}

void provider::change_limits(double factor) {
  for (auto& each : models_) each.set_limits(scaled(w_.limits, factor), now());
  changed_();
}

/// Small requests in quick succession: they find room as soon as there is any, and never overdraw.
void provider::foreign_tick() {
  auto const& use = *w_.foreign;
  if (!use.when.covers(now())) {
    foreign_wanted_ = 0;
  } else {
    // Who is said to make no requests takes tokens only.
    auto const each = use.rpm > 0 ? static_cast<double>(use.tpm) / static_cast<double>(use.rpm) : foreign_request;
    auto const a_minute = use.rpm > 0 ? static_cast<double>(use.rpm) : static_cast<double>(use.tpm) / foreign_request;
    foreign_wanted_ += a_minute / 60 * seconds_of(foreign_step);
    while (foreign_wanted_ >= 1 && models_[0].take(use.rpm > 0 ? 1 : 0, std::llround(each), now())) --foreign_wanted_;
    changed_();
  }
  loop_.after(foreign_step, [this] { foreign_tick(); });
}

}  // namespace cooldown::bench
