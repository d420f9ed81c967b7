#include "quota/experiment.hpp"

#include <cstdio>
#include <map>
#include <random>

#include "quota/clients.hpp"
#include "quota/lateness.hpp"
#include "quota/provider.hpp"
#include "quota/releases.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

// Until we hear of it.
constexpr duration refusal_time = 1ms;

// The proxy's default, cerebras.timeouts.connect.
constexpr duration connect_timeout = 5s;

class experiment final : public surroundings {
 public:
  experiment(const workload& w, const run_options& options)
      : w_(w),
        options_(options),
        random_(options.seed),
        destinations_(destinations_of(w)),
        providers_(make_providers()),
        clients_(loop_, w, options.seed, client_hooks()),
        lateness_([this](const call_ptr& c) { return providers_.front()->admissible_at(*c); }),
        scheduler_(make()) {
    bool const proxy = options.who == contestant::ours || options.who == contestant::seed;
    for (auto const& each : proxy ? w.restarts : std::vector<workload::restart>{})
      loop_.after(each.at, [this, keep = each.keep] { restart(keep); });
  }

  outcome run() {
    clients_.start();
    loop_.run_until(loop_.start() + options_.length);
    for (auto const& each : open_) {
      auto const& c = *each.second;
      if (!c.admitted) result_.waited(seconds_of(loop_.now() - c.began), c.group->watched);
    }
    for (auto const& p : providers_) result_.tokens += p->tokens_used();
    // The seed wakes all requests at once, and direct clients have no queue, so neither has a head. Of several
    // destinations, the earliest is not the preferred one.
    if (options_.who == contestant::ours && providers_.size() == 1) result_.lateness = lateness_.seconds();
    result_.sooner_at_first = releases_.sooner_at_first();
    return std::move(result_);
  }

  event_loop& loop() override { return loop_; }
  wall_time wall() const override { return providers_.front()->wall() + w_.skew; }
  std::optional<time_point> admissible_at(const call_ptr& c) override {
    if (providers_.size() == 1) return providers_.front()->admissible_at(*c);
    std::optional<time_point> soonest;
    for (std::size_t i = 0; i < providers_.size(); ++i) {
      auto const when = outage_at(i) != nullptr ? std::nullopt : providers_[i]->admissible_at(*c);
      if (!when || (soonest && *soonest <= *when)) continue;
      soonest = when;
      c->at = i;
    }
    return soonest;
  }

  void send(const call_ptr& c) override {
    if (c->over) return;
    c->sent = loop_.now();
    if (options_.trace) c->believed = scheduler_->believed(c);
    lateness_.released(c, loop_.now());
    if (options_.who == contestant::omniscient) {
      arrive(c);
      return;
    }
    loop_.after(std::chrono::microseconds{between(200, 3000)}, [this, c] { arrive(c); });
  }

  void refuse(const call_ptr& c, bool retry_helps, std::optional<duration> retry_after) override {
    lateness_.gone(c, loop_.now());
    if (c->over) return;
    c->with_scheduler = false;
    ++result_.non_200;
    clients_.refused(c, retry_helps, retry_after);
  }

 private:
  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  std::vector<std::unique_ptr<provider>> make_providers() {
    std::vector<std::unique_ptr<provider>> all;
    for (auto const& d : destinations_)
      all.push_back(std::make_unique<provider>(loop_, d.of->provider, options_.seed + static_cast<unsigned>(all.size()),
                                               options_.length, [this] { quota_changed(); }));
    return all;
  }
  provider& provider_of(const call_ptr& c) { return *providers_[c->at]; }

  /// Why the destination does not serve now; nullptr: it does.
  const outage* outage_at(std::size_t i) const {
    auto const& d = destinations_[i];
    for (auto const& o : d.of->outages)
      if (o.account.value_or(d.account) == d.account && o.from <= loop_.elapsed() && loop_.elapsed() < o.until)
        return &o;
    return nullptr;
  }

  std::unique_ptr<scheduler> make() {
    return options_.make ? options_.make(*this) : make_scheduler(options_.who, w_, *this);
  }

  clients::hooks client_hooks() {
    return {.begun = [this](const call_ptr& c) { begun(c); },
            .submit =
                [this](const call_ptr& c) {
                  c->with_scheduler = true;
                  c->repeats = 0;
                  c->failed_at = 0;
                  lateness_.waits(c, loop_.now());
                  scheduler_->submit(c);
                },
            .left = [this](const call_ptr& c) { left(c); },
            .lost =
                [this](const call_ptr& c) {
                  ++result_.lost;
                  open_.erase(c->serial);
                }};
  }

  void begun(const call_ptr& c) {
    open_.emplace(c->serial, c);
    auto& who = result_.clients[c->client];
    who.model = c->model;
    who.weight = c->group->weight;
    who.endless = c->group->how == pace::closed && c->group->pause == 0s;
    who.asked += c->tokens();
  }

  void left(const call_ptr& c) {
    open_.erase(c->serial);
    lateness_.gone(c, loop_.now());
    stop_generating(c);
    scheduler_->left(c);
  }

  /// Generated tokens count as used and charged.
  void stop_generating(const call_ptr& c) {
    if (!c->admitted) return;
    auto const output = c->held ? c->generated_by(loop_.now()) : c->output;
    result_.clients[c->client].tokens += static_cast<double>(c->facts.input_tokens + output);
    provider_of(c).settle(*c, output);
  }

  /// A restart: every connection breaks, and everything learned is lost, except what is kept.
  void restart(bool keep) {
    former_.push_back(std::move(scheduler_));
    scheduler_ = make();
    if (keep) scheduler_->go_on(*former_.back());
    for (auto const& [serial, c] : std::map(open_)) {  // a copy, because some are removed meanwhile
      if (!c->with_scheduler) continue;
      c->with_scheduler = false;
      ++result_.non_200;
      lateness_.gone(c, loop_.now());
      stop_generating(c);
      auto const again = clients_.cut_off(c);
      if (!again->over) open_[serial] = again;
    }
  }

  void quota_changed() {
    lateness_.quota_changed(loop_.now());
    scheduler_->quota_changed();
  }

  void arrive(const call_ptr& c) {
    if (c->over) return;
    if (auto const* const why = outage_at(c->at)) {
      fail(c, why->how);
      return;
    }
    rate_headers headers;
    auto const left_before = options_.trace ? provider_of(c).left_for(*c) : 0;
    if (auto const why = provider_of(c).arrive(*c, headers)) {
      if (why->status == 429) {
        result_.was_refused(c->sent, loop_.now() + refusal_time);
        if (options_.trace) trace(c, left_before);
      }
      loop_.after(refusal_time, [this, c, why = *why] {
        if (c->over) return;
        // Gone again, if this is not kept from the client.
        if (why.status == 429) lateness_.waits(c, loop_.now());
        scheduler_->refused(c, why);
      });
      return;
    }
    ++result_.admitted;
    c->admitted = loop_.now();
    result_.waited(seconds_of(c->sent - c->began), c->group->watched);
    releases_.add(*c, destinations_[c->at].upstream);
    if (destinations_[c->at].upstream != 0) ++result_.spilled;
    if (c->forecast) result_.was_forecast(*c->forecast, seconds_of(c->sent - c->submitted));
    answer(c, headers);
  }

  void fail(const call_ptr& c, outage::kind how) {
    refusal why;
    why.status = how == outage::kind::revoked ? 401 : how == outage::kind::unavailable ? 503 : 0;
    loop_.after(how == outage::kind::silent ? connect_timeout : refusal_time, [this, c, why] {
      if (!c->over) scheduler_->refused(c, why);
    });
  }

  void trace(const call_ptr& call, std::int64_t left_before) {
    auto const& c = *call;
    std::printf("%8.3f refused cost=%lld left=%lld believed=%.0f\n", seconds_of(loop_.elapsed()),
                static_cast<long long>(provider_of(call).cost_of(c)), static_cast<long long>(left_before), c.believed);
  }

  void answer(const call_ptr& c, const rate_headers& headers) {
    auto const generation = c->generation();
    auto const late = in_ms(destinations_[c->at].of->provider.headers_late);
    auto const delay = std::chrono::milliseconds{between(late.low, late.high)};
    auto const head = (c->stream ? first_token : generation) + 1ms + delay;
    loop_.after(generation, [this, c] { provider_of(c).settle(*c, c->output); });
    loop_.after(head, [this, c, headers] {
      if (!c->over) scheduler_->head(c, headers);
    });
    loop_.after(std::max<duration>(head, generation + 1ms), [this, c] {
      if (c->over) return;
      result_.clients[c->client].tokens += c->tokens();
      open_.erase(c->serial);
      scheduler_->done(c);
      clients_.served(c);
    });
  }

  const workload& w_;
  run_options options_;
  event_loop loop_;
  std::mt19937_64 random_;  // for the network's delays
  outcome result_;
  std::map<std::uint64_t, call_ptr> open_;  // requests without an answer yet
  std::vector<destination> destinations_;
  std::vector<std::unique_ptr<provider>> providers_;  // by destination
  releases releases_;
  clients clients_;
  lateness lateness_;
  std::unique_ptr<scheduler> scheduler_;
  std::vector<std::unique_ptr<scheduler>> former_;  // from before restarts: some of their timers are still set
};

}  // namespace

outcome run_experiment(const workload& w, const run_options& options) {
  return experiment(w, options).run();
}

}  // namespace cooldown::bench
