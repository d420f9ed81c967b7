#include "support/random_world.hpp"

#include <cmath>
#include <cstdlib>
#include <random>

namespace cooldown::testing {
namespace {

using namespace std::chrono_literals;
using bench::call;
using bench::call_ptr;

constexpr duration tick = 5s;

class dice {
 public:
  explicit dice(unsigned seed) : random_(seed * 7919U + 1) {}
  bool chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  /// Evenly over the orders of magnitude.
  double spread(double low, double high) {
    return std::exp(std::uniform_real_distribution<double>(std::log(low), std::log(high))(random_));
  }
  std::int64_t whole(double low, double high) { return std::llround(spread(low, high)); }
  sim::nanoseconds time(duration low, duration high) {
    return duration_of_seconds(spread(seconds_of(low), seconds_of(high)));
  }
  template <class T, std::size_t N>
  const T& one_of(const T (&of)[N]) {
    return of[static_cast<std::size_t>(pick(0, static_cast<int>(N) - 1))];
  }

 private:
  std::mt19937_64 random_;
};

sim::model_limits random_limits(dice& d) {
  sim::model_limits l{};
  if (d.chance(0.85)) l.tpm = d.whole(4'000, 1e6);
  if (l.tpm == 0 || d.chance(0.5)) l.rpm = d.whole(1, 600);
  if (d.chance(0.2)) l.rph = d.whole(50, 3'000);
  if (d.chance(0.1)) l.rpd = d.whole(200, 20'000);
  if (d.chance(0.2)) l.tph = d.whole(20'000, 5e6);
  if (d.chance(0.1)) l.tpd = d.whole(100'000, 2e7);
  if (d.chance(0.1)) l.rps = d.whole(1, 10);
  if (l.tpm > 0 && d.chance(0.15)) l.total_factor = d.pick(2, 4);
  return l;
}

sim::timetable random_times(dice& d) {
  sim::timetable t;
  if (d.chance(0.7)) t.from = d.time(1s, 10min);
  if (d.chance(0.7)) t.until = t.from + d.time(5s, 15min);
  if (t.until && d.chance(0.3)) t.every = *t.until + d.time(10s, 10min);
  return t;
}

void random_moods(dice& d, sim::provider_settings& p) {
  constexpr const char* words[] = {
      "60", "0", "1", "3600", "86400", "-5", "soon", "1e9", "99999999999999999999", "Sun, 06 Nov 1994 08:49:37 GMT"};
  constexpr sim::refusal_style styles[] = {sim::refusal_style::bare, sim::refusal_style::telling,
                                           sim::refusal_style::generic};
  p.refusals = d.one_of(styles);
  if (d.chance(0.3)) p.retry_after.reset();
  if (d.chance(0.3)) p.retry_after = d.one_of(words);
  if (d.chance(0.2)) p.load = sim::load_refusals{.share = d.spread(0.02, 1), .when = random_times(d)};
  if (p.load && p.load->when.always()) p.load->share *= 0.3;
  if (d.chance(0.3)) p.load_retry_after = d.one_of(words);
  if (d.chance(0.15)) p.concurrency = d.pick(1, 20);
  if (d.chance(0.15)) p.bad_requests = d.spread(0.01, 0.3);
  if (d.chance(0.15)) p.failures = d.spread(0.01, 0.2);
  if (d.chance(0.3)) p.usage_missing = d.spread(0.05, 1);
  if (d.chance(0.2))
    p.foreign = sim::foreign_use{.tpm = d.whole(100, 1e5), .rpm = d.whole(1, 100), .when = random_times(d)};
  for (int i = d.chance(0.25) ? d.pick(1, 2) : 0; i > 0; --i)
    p.changes.push_back({.at = d.spread(0.05, 0.95), .factor = d.spread(0.1, 10)});
}

void random_headers(dice& d, sim::provider_settings& p) {
  constexpr sim::header_style styles[] = {sim::header_style::resets, sim::header_style::plain,
                                          sim::header_style::all_resets, sim::header_style::two_buckets,
                                          sim::header_style::none};
  p.headers = d.one_of(styles);
  if (d.chance(0.2)) p.headers_missing = d.spread(0.1, 0.95);
  if (d.chance(0.15)) p.headers_until = d.time(5s, 15min);
  if (d.chance(0.15)) p.headers_stale = d.time(1s, 60s);
  if (d.chance(0.15)) p.headers_late = {0s, d.time(100ms, 5s)};
  if (d.chance(0.3)) p.hidden.push_back({resource::requests, d.chance(0.7) ? window::minute : window::hour});
  if (d.chance(0.1)) p.hidden.push_back({resource::tokens, d.chance(0.5) ? window::minute : window::hour});
  p.headers_on_errors = d.chance(0.3);
  constexpr duration resets[] = {0s, 1s, 60s, 3600s, 24h * 40, 24h * 365};
  if (d.chance(0.1)) p.reset_says = d.one_of(resets);
  if (d.chance(0.1)) p.anomaly = sim::header_anomaly{.at = d.time(1s, 10min), .factor = d.spread(1.1, 1e6)};
}

sim::provider_settings random_provider(dice& d) {
  constexpr sim::refill_rule refills[] = {sim::refill_rule::bucket, sim::refill_rule::bucket, sim::refill_rule::window,
                                          sim::refill_rule::sliding};
  constexpr sim::cost_rule costs[] = {sim::cost_rule::documented, sim::cost_rule::measured,
                                      sim::cost_rule::completion_only, sim::cost_rule::at_end};
  constexpr std::pair<const char*, double> spendable[] = {{"rpm", 1}, {"tpm", 1}, {"rph", 0.9}, {"tph", 0.9}};
  sim::provider_settings p;
  p.limits = random_limits(d);
  p.rules.refill = d.one_of(refills);
  if (d.chance(0.4)) p.rules.cost = d.one_of(costs);
  p.tokens_per_char = d.spread(0.1, 1);
  if (d.chance(0.3)) p.token_noise = d.spread(0.05, 0.5);
  if (d.chance(0.2)) p.cached = d.spread(0.05, 0.95);
  for (auto const& [name, share] : spendable)
    if (d.chance(0.15)) p.spent.push_back({*sim::limit_id_of(name), share});
  random_headers(d, p);
  random_moods(d, p);
  return p;
}

bench::client_group random_group(dice& d, const sim::model_limits& limits) {
  constexpr bench::pace paces[] = {bench::pace::closed, bench::pace::closed, bench::pace::poisson, bench::pace::bursts};
  bench::client_group g;
  g.how = d.one_of(paces);
  g.connections = d.pick(1, 20);
  g.one_client = d.chance(0.5);
  g.rate = d.spread(0.05, 3);
  if (d.chance(0.5)) g.pause = d.time(100ms, 30s);
  auto const most = limits.tpm > 0 ? static_cast<double>(limits.tpm) : 50'000;
  auto const maximum = static_cast<int>(std::max(20.0, most * d.spread(0.002, 0.5)));
  g.max_output = bench::range{std::max(1, maximum / d.pick(1, 10)), maximum};
  if (d.chance(0.1)) g.max_output.reset();
  g.reply = static_cast<int>(std::max(1.0, maximum * d.spread(0.02, 1)));
  g.input_chars.low = d.pick(10, 200);
  g.input_chars.high = g.input_chars.low + static_cast<int>(most * d.spread(0.002, 1));
  g.time_per_token = duration_of_seconds(std::min(0.01, d.spread(0.5, 60) / g.reply));
  if (d.chance(0.2)) g.cancel = bench::cancellation{.share = d.spread(0.05, 1), .after = {100ms, d.time(1s, 60s)}};
  if (d.chance(0.5)) g.urgency = static_cast<std::uint8_t>(d.pick(0, 7));
  if (d.chance(0.3)) g.weight = d.spread(0.1, 10);
  return g;
}

/// Tells the watch what passes between a scheduler and the world.
class watched final : public bench::scheduler, public bench::surroundings {
 public:
  watched(const bench::workload& w, bench::surroundings& world, watch& eyes)
      : world_(world), eyes_(eyes), inner_(bench::make_ours(w, *this)) {
    eyes_.starts(*inner_->limiter(), world_);
    arm();
  }

  bench::event_loop& loop() override { return world_.loop(); }
  wall_time wall() const override { return world_.wall(); }
  void send(const call_ptr& c) override {
    if (!c->over) eyes_.sends(c, now());
    world_.send(c);
  }
  void refuse(const call_ptr& c, bool retry_helps, std::optional<duration> retry_after) override {
    if (!c->over) eyes_.turns_away(c, submitting_, retry_helps, now());
    world_.refuse(c, retry_helps, retry_after);
  }
  std::optional<time_point> admissible_at(const call_ptr& c) override { return world_.admissible_at(c); }

  void submit(const call_ptr& c) override {
    eyes_.submits(c, now());
    submitting_ = true;
    inner_->submit(c);
    submitting_ = false;
  }
  void head(const call_ptr& c, const bench::rate_headers& headers) override {
    eyes_.hears(c, headers, now());
    inner_->head(c, headers);
    eyes_.admits(c, now());
  }
  void refused(const call_ptr& c, const bench::refusal& why) override {
    eyes_.refuses(c, why, now());
    inner_->refused(c, why);
  }
  void done(const call_ptr& c) override {
    eyes_.ends(c, now());
    inner_->done(c);
  }
  void left(const call_ptr& c) override {
    eyes_.ends(c, now());
    inner_->left(c);
  }
  void go_on(bench::scheduler& former) override {
    inner_->go_on(former);
    eyes_.goes_on();
  }
  cerebras_limiter* limiter() override { return inner_->limiter(); }

 private:
  time_point now() const { return world_.loop().now(); }
  void arm() {
    world_.loop().after(tick, [this] {
      eyes_.ticks(now());
      arm();
    });
  }

  bench::surroundings& world_;
  watch& eyes_;
  bool submitting_ = false;
  std::unique_ptr<bench::scheduler> inner_;
};

unsigned number_in_environment(const char* name, unsigned usual) {
  auto const* const text = std::getenv(name);
  return text == nullptr ? usual : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

}  // namespace

void watch::breach(time_point now, const std::string& what) {
  if (breaches.size() < 3)
    breaches.push_back(std::to_string(seconds_of(now - world_now->loop().start())) + " s: " + what);
}

bench::workload random_workload(unsigned seed) {
  dice d(seed);
  bench::workload w;
  w.name = "random " + std::to_string(seed);
  w.length = d.time(5min, 1h);
  w.provider = random_provider(d);
  auto const& limits = w.provider.limits;
  auto const about = [&](std::int64_t limit, double none) {
    double const right = limit > 0 ? static_cast<double>(limit) : none;
    return std::max(1.0, d.chance(0.5) ? right : right * d.spread(0.1, 10));
  };
  w.rpm_limit = about(limits.rpm, 1e6);
  w.tpm_limit = about(limits.tpm, 1e9);
  if (limits.rph > 0 && d.chance(0.3)) w.configured.limit[{resource::requests, window::hour}] = about(limits.rph, 0);
  if (limits.tph > 0 && d.chance(0.3)) w.configured.limit[{resource::tokens, window::hour}] = about(limits.tph, 0);
  w.groups.clear();
  for (int i = d.pick(1, 3); i > 0; --i) w.groups.push_back(random_group(d, limits));
  for (int i = d.chance(0.2) ? d.pick(1, 2) : 0; i > 0; --i)
    w.restarts.push_back({.at = d.time(10s, 30min), .keep = d.chance(0.5)});
  if (d.chance(0.2)) w.skew = d.time(10ms, 1h) * (d.chance(0.5) ? 1 : -1);
  return w;
}

bench::outcome run_watched(const bench::workload& w, unsigned seed, watch& eyes) {
  return bench::run_experiment(w, {.who = bench::contestant::ours,
                                   .length = w.length,
                                   .seed = seed,
                                   .trace = false,
                                   .make = [&](bench::surroundings& world) -> std::unique_ptr<bench::scheduler> {
                                     return std::make_unique<watched>(w, world, eyes);
                                   }});
}

unsigned law_cases(unsigned usual) {
  return number_in_environment("COOLDOWN_LAW_CASES", usual);
}

unsigned first_law_seed() {
  return number_in_environment("COOLDOWN_LAW_SEED", 1);
}

std::string line_about(const bench::workload& w, unsigned seed) {
  auto const& p = w.provider;
  auto const& l = p.limits;
  std::string text = "seed " + std::to_string(seed) + ": refill " + std::to_string(static_cast<int>(p.rules.refill));
  std::pair<const char*, std::int64_t> const limits[] = {{"rps", l.rps}, {"rpm", l.rpm}, {"rph", l.rph}, {"rpd", l.rpd},
                                                         {"tpm", l.tpm}, {"tph", l.tph}, {"tpd", l.tpd}};
  for (auto const& [name, value] : limits)
    if (value > 0) text += std::string(" ") + name + " " + std::to_string(value);
  text += " headers " + std::to_string(static_cast<int>(p.headers)) + " refusals " +
          std::to_string(static_cast<int>(p.refusals)) + " retry-after " + p.retry_after.value_or("exact");
  for (auto const& h : p.hidden) text += " hidden " + sim::name(h.counts) + "/" + name_of(h.over);
  if (p.foreign) text += " foreign";
  if (!p.changes.empty()) text += " changes";
  if (p.load) text += " load " + std::to_string(p.load->share);
  if (p.concurrency > 0) text += " concurrency " + std::to_string(p.concurrency);
  if (p.reset_says) text += " reset says " + std::to_string(seconds_of(*p.reset_says));
  if (p.anomaly) text += " anomaly";
  if (!w.restarts.empty()) text += " restarts";
  return text + " configured rpm " + std::to_string(std::llround(w.rpm_limit)) + " tpm " +
         std::to_string(std::llround(w.tpm_limit));
}

}  // namespace cooldown::testing
