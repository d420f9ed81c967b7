// The schedule, measured: hours of traffic in seconds on the pure core, against the simulator's admission rules and
// with a simulated clock. Deterministic by seed. Beside the limiter runs an omniscient first-come-first-served
// scheduler, which sees the provider's quota itself. Usage: quota [workload-substring] [--seconds N] [--trace]
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "cooldown/core/cerebras_limiter.hpp"
#include "cooldown/sim/model_quota.hpp"
#include "cooldown/sim/rate_headers.hpp"

namespace {

using namespace std::chrono_literals;
namespace cd = cooldown;
namespace sim = cooldown::sim;
using cooldown::duration;
using cooldown::time_point;

struct workload {
  const char* name;
  sim::model_limits limits{.tpm = 60'000};
  sim::quota_rules rules{};
  sim::header_style headers = sim::header_style::plain;
  bool bare_refusals = true;  // 429 with retry-after: 60 and nothing else
  double rpm_limit = 1e6;
  double tpm_limit = 60'000;
  int clients = 24;
  int min_max = 200, max_max = 400;  // max_completion_tokens
  bool has_max = true;
  int reply = 200;
  int min_chars = 100, max_chars = 2000;
  double chars_per_token = 4;
  duration headers_until = duration::max();
};

struct outcome {
  std::uint64_t admitted = 0, refused = 0, failed = 0, served = 0;
  double tokens = 0;
  std::vector<double> waits;
};

/// A clock and what is to happen when.
class event_loop {
 public:
  time_point now() const { return now_; }
  void at(time_point when, std::function<void()> what) {
    events_.emplace(std::max(when, now_), order_++, std::move(what));
  }
  void after(duration d, std::function<void()> what) { at(now_ + d, std::move(what)); }
  void run_until(time_point end) {
    while (!events_.empty() && std::get<0>(events_.top()) <= end) {
      auto const next = events_.top();
      events_.pop();
      now_ = std::get<0>(next);
      std::get<2>(next)();
    }
    now_ = end;
  }

 private:
  using event = std::tuple<time_point, std::uint64_t, std::function<void()>>;
  struct later {
    bool operator()(const event& a, const event& b) const {
      return std::tie(std::get<0>(a), std::get<1>(a)) > std::tie(std::get<0>(b), std::get<1>(b));
    }
  };
  std::priority_queue<event, std::vector<event>, later> events_;
  std::uint64_t order_ = 0;
  time_point now_{1000h};
};

struct job {
  int client;
  time_point submitted;
  cd::request_size size;
  sim::request_facts facts;
  int output;
  bool stream;
};

/// Closed-loop clients in front of one quota, through one of two schedulers.
class experiment {
 public:
  experiment(const workload& w, bool omniscient, bool trace)
      : w_(w), omniscient_(omniscient), trace_(trace), quota_(w.limits, w.rules), limiter_(settings()) {}

  outcome run(duration length) {
    start_ = loop_.now();
    end_ = start_ + length;
    for (int i = 0; i < w_.clients; ++i) next_job(i);
    loop_.run_until(end_);
    return result_;
  }

 private:
  cd::limiter_settings settings() const {
    cd::limiter_settings s;
    s.quota.rpm_limit = w_.rpm_limit;
    s.quota.tpm_limit = w_.tpm_limit;
    return s;
  }
  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  sim::nanoseconds sim_now() const { return loop_.now() - start_; }
  cd::wall_time wall() const { return cd::wall_time{std::chrono::hours{490'000}} + (loop_.now() - start_); }

  void next_job(int client) {
    job j;
    j.client = client;
    j.submitted = loop_.now();
    j.size.input_chars = static_cast<std::uint64_t>(between(w_.min_chars, w_.max_chars));
    auto const max = static_cast<std::uint64_t>(between(w_.min_max, w_.max_max));
    if (w_.has_max) j.size.max_output_tokens = max;
    j.facts.input_tokens = static_cast<std::int64_t>(static_cast<double>(j.size.input_chars) / w_.chars_per_token);
    if (w_.has_max) j.facts.max_output = static_cast<std::int64_t>(max);
    j.output = std::min(w_.reply, static_cast<int>(max));
    j.stream = between(0, 1) == 1;
    if (omniscient_) {
      fifo_.push(j);
      pump();
      return;
    }
    cd::ticket_facts t;
    t.scope = {1, "m"};
    t.size = j.size;
    auto const decided = limiter_.submit(t, loop_.now());
    if (auto const* const yes = std::get_if<cd::go>(&decided)) {
      send(yes->id, j);
    } else if (auto const* const wait = std::get_if<cd::queued>(&decided)) {
      waiting_.emplace(wait->id, j);
      poll();
    } else {
      ++result_.failed;
      loop_.after(1s, [this, client] { next_job(client); });
    }
  }

  /// The omniscient scheduler: the head goes the instant that the quota itself admits it.
  void pump() {
    if (pumping_ || fifo_.empty()) return;
    auto const when = quota_.next_admission(quota_.cost_of(fifo_.front().facts), sim_now());
    if (!when) return;
    if (*when <= sim_now()) {
      auto const j = fifo_.front();
      fifo_.pop();
      send(0, j);
      loop_.after(0s, [this] { pump(); });
      return;
    }
    pumping_ = true;
    // A refund may make room earlier: look again soon.
    loop_.at(std::min(start_ + *when, loop_.now() + 5ms), [this] {
      pumping_ = false;
      pump();
    });
  }

  void poll() {
    for (auto const& e : limiter_.poll(loop_.now())) {
      auto const j = waiting_.at(e.id);
      waiting_.erase(e.id);
      if (e.refusal) {
        ++result_.failed;
        next_job(j.client);
      } else {
        send(e.id, j);
      }
    }
    auto const next = limiter_.next_deadline(loop_.now());
    if (!next || *next == armed_) return;
    armed_ = *next;
    loop_.at(*next, [this, when = *next] {
      if (armed_ == when) {
        armed_ = {};
        poll();
      }
    });
  }

  void send(cd::ticket_id id, const job& j) {
    result_.waits.push_back(cd::seconds_of(loop_.now() - j.submitted));
    double const believed = omniscient_ ? 0 : limiter_.status({1, "m"}, loop_.now()).remaining_tokens;
    auto const travel = omniscient_ ? 0us : std::chrono::microseconds{between(200, 3000)};
    loop_.after(travel, [this, id, j, believed] { arrive(id, j, believed); });
  }

  std::vector<sim::rate_header> headers(const std::vector<sim::quota_reading>& r) const {
    return loop_.now() - start_ > w_.headers_until ? std::vector<sim::rate_header>{}
                                                   : sim::render_headers(w_.headers, r);
  }

  void arrive(cd::ticket_id id, const job& j, double believed) {
    auto const before = quota_.readings(sim_now());
    auto const answer = quota_.admit(j.facts, sim_now());
    if (auto const* const no = std::get_if<sim::refused>(&answer)) {
      ++result_.refused;
      if (trace_)
        std::printf("%8.3f refused cost=%lld left=%lld believed=%.0f in_flight=%zu\n",
                    cd::seconds_of(loop_.now() - start_), static_cast<long long>(quota_.cost_of(j.facts).uncached),
                    static_cast<long long>(before.empty() ? 0 : before.back().remaining), believed,
                    limiter_.in_flight());
      auto shown = w_.bare_refusals ? std::vector<sim::rate_header>{} : headers(no->readings);
      shown.push_back({"retry-after", w_.bare_refusals ? "60"
                                                       : std::to_string(static_cast<int>(
                                                             cd::seconds_of(no->retry_after.value_or(60s)) + 1))});
      auto const error = sim::quota_error(no->what, no->per, false);
      loop_.after(1ms, [this, id, j, shown, error] { refused(id, j, shown, error); });
      return;
    }
    auto const& yes = std::get<sim::admitted>(answer);
    ++result_.admitted;
    auto const shown = headers(yes.readings);
    auto const generation = 100ms + std::chrono::microseconds{500} * j.output;
    auto const held = yes.held;
    if (j.stream) loop_.after(51ms, [this, id, shown] { head(id, shown); });
    loop_.after(generation, [this, held, j] {
      quota_.settle(held, {.input = j.facts.input_tokens, .cached = 0, .output = j.output}, sim_now());
      result_.tokens += static_cast<double>(j.facts.input_tokens + j.output);
    });
    loop_.after(generation + 1ms, [this, id, j, shown] {
      if (!j.stream) head(id, shown);
      done(id, j);
    });
  }

  std::vector<cd::header_field> view(const std::vector<sim::rate_header>& from) const {
    std::vector<cd::header_field> fields;
    fields.reserve(from.size());
    for (auto const& h : from) fields.push_back({h.name, h.value});
    return fields;
  }

  void head(cd::ticket_id id, const std::vector<sim::rate_header>& shown) {
    if (omniscient_) return;
    auto const fields = view(shown);
    limiter_.observe(id, {.status = 200, .headers = fields, .error = {}}, loop_.now(), wall());
    poll();
  }

  void refused(cd::ticket_id id, const job& j, const std::vector<sim::rate_header>& shown, const sim::api_error& e) {
    auto const fields = view(shown);
    cd::answer const a{.status = 429, .headers = fields, .error = {e.message, e.type, e.code}};
    auto const seen = limiter_.observe(id, a, loop_.now(), wall());
    if (seen.what == cd::verdict::queue_again) {
      waiting_.emplace(id, j);
    } else {
      ++result_.failed;
      limiter_.settle(id, 0, std::nullopt, loop_.now());
      next_job(j.client);
    }
    poll();
  }

  void done(cd::ticket_id id, const job& j) {
    ++result_.served;
    if (!omniscient_) {
      auto const input = static_cast<std::uint64_t>(j.facts.input_tokens);
      limiter_.settle(id, input + static_cast<std::uint64_t>(j.output), input, loop_.now());
      poll();
    } else {
      pump();
    }
    next_job(j.client);
  }

  workload w_;
  bool omniscient_;
  bool trace_;
  event_loop loop_;
  sim::model_quota quota_;
  cd::cerebras_limiter limiter_;
  std::mt19937 random_{1};
  time_point start_{}, end_{}, armed_{};
  std::map<cd::ticket_id, job> waiting_;
  std::queue<job> fifo_;
  bool pumping_ = false;
  outcome result_;
};

std::vector<workload> workloads() {
  using sim::header_style;
  using sim::refill_rule;
  std::vector<workload> all;
  all.reserve(64);  // references into it are used below
  auto const add = [&](const char* name) -> workload& {
    all.push_back({.name = name});
    return all.back();
  };
  add("bucket, no resets, bare 429s");
  auto& b = add("bucket, resets, telling 429s");
  b.headers = header_style::resets;
  b.bare_refusals = false;
  auto& w = add("window, resets, telling 429s");
  w = b;
  w.name = "window, resets, telling 429s";
  w.rules.refill = refill_rule::window;
  auto& wp = add("window, no resets, bare 429s");
  wp.rules.refill = refill_rule::window;
  auto& s = add("sliding, resets, telling 429s");
  s.headers = header_style::resets;
  s.bare_refusals = false;
  s.rules.refill = refill_rule::sliding;
  auto& sp = add("sliding, no resets, bare 429s");
  sp.rules.refill = refill_rule::sliding;
  auto& big = add("large maxima, small use");
  big.min_max = 4000;
  big.max_max = 12'000;
  auto& none = add("no maximum given");
  none.has_max = false;
  auto& rpm = add("rpm-bound, configured right");
  rpm.limits = {.rpm = 60, .rpd = 100'000, .tpm = 10'000'000};
  rpm.headers = header_style::resets;
  rpm.rpm_limit = 60;
  auto& rpm5 = add("rpm-bound, configured 5 times too high");
  rpm5.limits = rpm.limits;
  rpm5.headers = header_style::resets;
  rpm5.rpm_limit = 300;
  auto& low = add("tpm configured 60 times too low");
  low.tpm_limit = 1000;
  auto& live = add("live: measured cost, two buckets");
  live.limits = {
      .rpm = 300, .rph = 9000, .rpd = 100'000, .tpm = 60'000, .tph = 1'000'000, .tpd = 10'000'000, .total_factor = 3};
  live.rules.cost = sim::cost_rule::measured;
  live.headers = header_style::two_buckets;
  live.min_max = 500;
  live.max_max = 4000;
  live.rpm_limit = 300;
  auto& foreign = add("foreign consumer takes half");
  foreign.rules.foreign_tpm = 30'000;
  auto& vanish = add("headers vanish after 15 s");
  vanish.headers_until = 15s;
  return all;
}

double percentile(std::vector<double> v, double p) {
  if (v.empty()) return 0;
  auto const at = static_cast<std::size_t>(p * static_cast<double>(v.size() - 1));
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(at), v.end());
  return v[at];
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  duration length = 120s;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--trace") == 0) {
      trace = true;
    } else if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      length = std::chrono::seconds{std::atoi(argv[++i])};
    } else {
      only = argv[i];
    }
  }
  std::printf("%-40s %8s %8s %8s %8s %8s %8s\n", "workload", "share", "429/adm", "non-200", "admitted", "p50 s",
              "p99 s");
  for (auto const& w : workloads()) {
    if (std::string(w.name).find(only) == std::string::npos) continue;
    auto const best = experiment(w, true, false).run(length);
    auto const ours = experiment(w, false, trace).run(length);
    std::printf(
        "%-40s %8.3f %7.2f%% %8llu %8llu %8.2f %8.2f\n", w.name, ours.tokens / std::max(1.0, best.tokens),
        100.0 * static_cast<double>(ours.refused) / static_cast<double>(std::max<std::uint64_t>(1, ours.admitted)),
        static_cast<unsigned long long>(ours.failed), static_cast<unsigned long long>(ours.admitted),
        percentile(ours.waits, 0.5), percentile(ours.waits, 0.99));
  }
}
