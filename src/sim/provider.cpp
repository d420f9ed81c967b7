#include "cooldown/sim/provider.hpp"

#include <algorithm>
#include <cmath>

#include "cooldown/sim/dialects.hpp"
#include "cooldown/time.hpp"

namespace cooldown::sim {
namespace {

using namespace std::chrono_literals;

constexpr auto foreign_step = 50ms;
constexpr double foreign_request = 50;  // tokens: what a step of the usual 60,000 a minute takes
// What a division leaves behind is no token.
constexpr double rounding = 1e-9;

/// With the mean 1.
double lognormal(std::mt19937_64& random, double sigma) {
  return sigma == 0 ? 1 : std::lognormal_distribution<double>(-sigma * sigma / 2, sigma)(random);
}

}  // namespace

double tokens_in(const provider_settings& settings, double characters, std::mt19937_64& random) {
  return characters * settings.tokens_per_char * lognormal(random, settings.token_noise);
}

provider::provider(const provider_settings& settings, const std::vector<model_spec>& models, bool any_model,
                   nanoseconds length, std::uint64_t seed)
    : settings_(settings), quotas_(models, settings.rules, any_model), random_(seed), fate_(seed + 0x5eedULL) {
  for (auto const& change : settings_.changes)
    changes_.push_back({duration_of_seconds(seconds_of(length) * change.at), change.factor});
  std::stable_sort(changes_.begin(), changes_.end(), [](auto const& a, auto const& b) { return a.at > b.at; });
  if (settings_.foreign) next_foreign_ = foreign_step;
  spend();
}

bool provider::chance(double share) {
  return share > 0 && std::bernoulli_distribution(share)(fate_);
}

std::variant<grant, provider_refusal> provider::arrive(model_quota& quota, const request_facts& facts, bool bad,
                                                       nanoseconds now) {
  if (bad)
    return error_answer(quota, 400, {"The request is not valid.", "invalid_request_error", "", "wrong_request"}, now);
  if (chance(settings_.failures))
    return error_answer(quota, 503, {"Service unavailable.", "server_error", "", "unavailable"}, now);
  if (overloaded(quota, now)) return load_refusal(quota, now);
  auto answer = quota.admit(facts, now);
  if (auto const* const no = std::get_if<refused>(&answer)) return quota_refusal(quota, *no, facts, now);
  auto const& yes = std::get<admitted>(answer);
  return grant{yes.held, shown(quota, yes.readings, settings_.headers, now, facts.stream)};
}

bool provider::overloaded(const model_quota& quota, nanoseconds now) {
  if (is_full(quota)) return true;
  return settings_.load && settings_.load->when.covers(now) && chance(settings_.load->share);
}

provider_refusal provider::load_refusal(model_quota& quota, nanoseconds now) {
  quota.count_load_refusal();
  auto why = error_answer(quota, 429, load_error(), now);
  if (settings_.dialect && settings_.dialect->busy) {
    auto said = settings_.dialect->busy(settings_.concurrency);
    why.headers = std::move(said.headers);
    why.body = std::move(said.body);
  }
  if (settings_.load_retry_after) why.headers.push_back({"retry-after", *settings_.load_retry_after});
  if (settings_.load_should_retry)
    why.headers.push_back({"x-should-retry", *settings_.load_should_retry ? "true" : "false"});
  return why;
}

provider_refusal provider::error_answer(model_quota& quota, unsigned status, const api_error& error, nanoseconds now) {
  provider_refusal why{.status = status, .error = error, .headers = {}, .limit = {}};
  if (settings_.headers_on_errors) why.headers = shown(quota, quota.readings(now), settings_.headers, now);
  return why;
}

provider_refusal provider::quota_refusal(const model_quota& quota, const refused& no, const request_facts& facts,
                                         nanoseconds now) {
  provider_refusal why;
  why.limit = limit_id{no.what, no.per};
  if (settings_.dialect) {
    auto const readings = told(quota, no.readings, now);
    dialect_refused said{{readings, settings_.rules.wall_at_epoch + now, facts.stream}, *why.limit};
    said.retry_after = no.retry_after.value_or(no.per.length());
    said.requested = amount_of(no.what, quota.cost_of(facts));
    if (auto const* const limit = said.find(*why.limit)) {
      said.limit = limit->limit;
      said.used = limit->limit - limit->remaining;
    }
    auto answer = settings_.dialect->refused(said);
    why.headers = std::move(answer.headers);
    why.body = std::move(answer.body);
    return why;
  }
  why.error = quota_error(no.what, no.per, quota.limits().total_factor > 0);
  if (settings_.refusals == refusal_style::generic) why.error = {"Rate limit exceeded.", "", "", ""};
  if (settings_.refusals == refusal_style::telling)
    why.headers = shown(quota, no.readings, settings_.refusal_headers.value_or(settings_.headers), now);
  // What never fits is told to come back in a period.
  auto const exact = ceil_seconds(no.retry_after.value_or(no.per.length()));
  why.headers.push_back({"retry-after", settings_.retry_after.value_or(std::to_string(exact.count()))});
  return why;
}

std::optional<nanoseconds> provider::next_admission(model_quota& quota, const request_facts& facts,
                                                    nanoseconds now) const {
  if (is_full(quota)) return nanoseconds::max();
  auto const& load = settings_.load;
  if (load && load->share >= 1 && load->when.covers(now)) {
    auto const end = load->when.end_after(now);
    if (!end) return std::nullopt;
    now = *end;
  }
  return quota.next_admission(quota.cost_of(facts), now);
}

/// The readings as headers tell them: late, fixed, hidden, or absurd once.
std::vector<quota_reading> provider::told(const model_quota& quota, std::vector<quota_reading> readings,
                                          nanoseconds now) {
  if (settings_.headers_stale > 0s) {
    auto& kept = snapshots_[&quota];
    if (kept.readings.empty() || now - kept.taken >= settings_.headers_stale) kept = {now, readings};
    readings = kept.readings;
  }
  for (auto const& hidden : settings_.hidden)
    std::erase_if(readings, [&](auto const& each) { return each.what == hidden.counts && each.per == hidden.over; });
  if (settings_.reset_says) {
    for (auto& each : readings) each.reset_after = *settings_.reset_says;
  }
  if (settings_.anomaly && !anomaly_told_ && now >= settings_.anomaly->at) {
    anomaly_told_ = true;
    for (auto& each : readings) {
      if (each.what != resource::tokens || each.per != window::minute) continue;
      each.remaining = std::llround(static_cast<double>(each.limit) * settings_.anomaly->factor);
    }
  }
  return readings;
}

std::vector<rate_header> provider::shown(const model_quota& quota, const std::vector<quota_reading>& readings,
                                         header_style style, nanoseconds now, bool stream) {
  auto const missing = settings_.headers_missing;
  if (missing > 0 && std::bernoulli_distribution(missing)(random_)) return {};
  if (now >= settings_.headers_until) return {};
  auto const shown = told(quota, readings, now);
  if (settings_.dialect) return settings_.dialect->shown({shown, settings_.rules.wall_at_epoch + now, stream});
  return render_headers(style, shown);
}

void provider::spend() {
  for (auto& [name, quota] : quotas_.models()) {
    for (auto const& reading : quota.readings(0s)) {
      for (auto const& spent : settings_.spent) {
        if (spent.which.counts != reading.what || spent.which.over != reading.per) continue;
        quota.spend(spent.which, std::llround(static_cast<double>(reading.limit) * spent.share), 0s);
      }
    }
  }
}

std::optional<nanoseconds> provider::next_event() const {
  if (changes_.empty()) return next_foreign_;
  return next_foreign_ ? std::min(*next_foreign_, changes_.back().at) : changes_.back().at;
}

bool provider::advance(nanoseconds now) {
  bool moved = false;
  for (auto next = next_event(); next && *next <= now; next = next_event()) {
    if (!changes_.empty() && changes_.back().at == *next) {
      for (auto& [name, quota] : quotas_.models()) quota.scale_limits(changes_.back().factor, *next);
      changes_.pop_back();
      moved = true;
    } else {
      moved = take_foreign(*next) || moved;
      *next_foreign_ += foreign_step;
    }
  }
  return moved;
}

/// Small requests to the first model, in quick succession: they find room as soon as there is any, and never overdraw.
bool provider::take_foreign(nanoseconds now) {
  auto const& use = *settings_.foreign;
  if (!use.when.covers(now)) {
    foreign_wanted_ = 0;
    return false;
  }
  // Who is said to make no requests takes tokens only.
  auto const each = use.rpm > 0 ? static_cast<double>(use.tpm) / static_cast<double>(use.rpm) : foreign_request;
  auto const a_minute = use.rpm > 0 ? static_cast<double>(use.rpm) : static_cast<double>(use.tpm) / foreign_request;
  foreign_wanted_ += a_minute / 60 * seconds_of(foreign_step);
  auto& quota = quotas_.first();
  while (foreign_wanted_ >= 1 && quota.take(use.rpm > 0 ? 1 : 0, std::llround(each), now)) --foreign_wanted_;
  return true;
}

nanoseconds provider::draw_lateness() {
  auto const& late = settings_.headers_late;
  return nanoseconds{std::uniform_int_distribution<nanoseconds::rep>(late.low.count(), late.high.count())(fate_)};
}

std::int64_t provider::draw_tokens(std::int64_t characters) {
  return std::llround(std::ceil(tokens_in(settings_, static_cast<double>(characters), fate_) - rounding));
}

}  // namespace cooldown::sim
