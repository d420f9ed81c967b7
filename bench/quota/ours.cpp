// The limiter under test, driven as net/admission drives it.
#include <map>

#include "cooldown/exchange/circuit_breaker.hpp"
#include "cooldown/exchange/retry.hpp"
#include "cooldown/http/error_fields.hpp"
#include "cooldown/schedule/limiter_driver.hpp"
#include "cooldown/schedule/offers.hpp"

#include "quota/scheduler.hpp"

namespace cooldown::bench {
namespace {

constexpr unsigned allowed_repeats = 2;  // the proxy's default

// As net does: a key that is refused is tried again after a while.
constexpr duration set_aside_for = std::chrono::minutes{10};

class ours final : public scheduler {
 public:
  ours(const workload& w, surroundings& world) : world_(world), rules_(w.routing) {
    for (auto const& d : destinations_of(w)) accounts_.push_back(std::make_unique<account>(d));
  }

  void submit(const call_ptr& c) override {
    c->at = choose_for(c, false).to;
    enter(c);
  }

  void head(const call_ptr& c, const rate_headers& headers) override {
    auto& a = at(c);
    auto const fields = view(headers);
    a.failures = 0;
    a.limiter.observe(c->ticket, {.status = 200, .headers = fields, .error = {}}, now(), world_.wall());
    update(a);
  }

  void refused(const call_ptr& c, const refusal& why) override {
    if (why.status != 429) {
      failed(c, why);
      return;
    }
    auto& a = at(c);
    auto const fields = view(why.headers);
    answer told{.status = 429, .headers = fields, .error = {why.error.message, why.error.type, why.error.code}};
    auto const said = http::read_error(why.body);
    if (!why.body.empty()) told.error = {said.message, said.type, said.code, said.wait};
    auto const seen = a.limiter.observe(c->ticket, told, now(), world_.wall());
    if (seen.what == verdict::queue_again) {
      a.driver.wait(c->ticket, c);
      route_again(c);
    } else {
      a.limiter.settle(c->ticket, 0, std::nullopt, now());
      if (seen.what == verdict::refuse && seen.refusal) {
        turn_away(c, *seen.refusal);
      } else {
        world_.refuse(c, true, why.retry_after);
      }
    }
    update(a);
  }

  void done(const call_ptr& c) override {
    auto& a = at(c);
    auto const input = static_cast<std::uint64_t>(c->facts.input_tokens);
    if (c->without_usage) {
      a.limiter.settle(c->ticket, std::nullopt, std::nullopt, now());
    } else {
      a.limiter.settle(c->ticket, input + static_cast<std::uint64_t>(c->output), input, now(),
                       static_cast<std::uint64_t>(c->facts.cached_tokens));
    }
    update(a);
  }

  void left(const call_ptr& c) override { leave(c); }

  void go_on(scheduler& former) override {
    limiter()->restore(former.limiter()->save(now(), world_.wall()), now(), world_.wall());
  }
  cerebras_limiter* limiter() override { return &accounts_.front()->limiter; }
  double believed(const call_ptr& c) override { return at(c).limiter.status(scope_of(*c), now()).remaining_tokens; }

 private:
  /// An account of an upstream, with its limiter.
  struct account {
    explicit account(const destination& d) : upstream(d.upstream), limiter(settings_of(*d.of)) {}
    std::size_t upstream;
    cerebras_limiter limiter;
    limiter_driver<call_ptr> driver{limiter};
    unsigned failures = 0;  // in a row
    time_point usable_from{};
    time_point last_used{};
  };

  static limiter_settings settings_of(const upstream& u) {
    limiter_settings s;
    s.quota.rpm_limit = u.rpm_limit;
    s.quota.tpm_limit = u.tpm_limit;
    s.quota.limits = u.configured;
    return s;
  }
  static scope_name scope_of(const call& c) { return {1, c.model == 0 ? "m" : "n"}; }
  time_point now() const { return world_.loop().now(); }
  account& at(const call_ptr& c) { return *accounts_[c->at]; }

  ticket_facts facts_of(const call& c) const {
    ticket_facts t;
    t.scope = scope_of(c);
    t.size = c.size;
    t.client = c.client;
    t.weight = c.group->weight;
    t.urgency = c.group->urgency;
    if (accounts_.size() == 1) return t;
    t.max_wait -= now() - c.submitted;
    t.arrived = c.submitted;
    t.arrival = c.serial;
    return t;
  }

  /// `waits`: it waits already, at c->at.
  route choose_for(const call_ptr& c, bool waits) {
    if (accounts_.size() == 1) return {0, std::nullopt};
    auto const facts = facts_of(*c);
    std::vector<offer> offers;
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
      auto& a = *accounts_[i];
      bool const here = waits && i == c->at;
      offers.push_back({.upstream = a.upstream,
                        .usable = a.usable_from <= now() && (c->failed_at >> i & 1) == 0,
                        .wait = here ? wait_at(a.limiter, c->ticket, now()) : wait_at(a.limiter, facts, now()),
                        .last_used = a.last_used});
    }
    return choose(rules_, {offers, waits ? std::optional(c->at) : std::nullopt, now() - c->submitted, std::nullopt});
  }

  /// It waits, or is sent, at c->at.
  void enter(const call_ptr& c) {
    auto& a = at(c);
    c->forecast.reset();
    auto const decided = a.limiter.submit(facts_of(*c), now());
    if (auto const* const yes = std::get_if<go>(&decided)) {
      c->ticket = yes->id;
      send(c);
    } else if (auto const* const wait = std::get_if<queued>(&decided)) {
      c->ticket = wait->id;
      c->forecast = seconds_of(wait->expected - c->submitted);
      a.driver.wait(wait->id, c);
      update(a);
      ask_again(c, choose_for(c, true).ask_again);
    } else {
      turn_away(c, std::get<cooldown::refused>(decided));
    }
  }

  void send(const call_ptr& c) {
    at(c).last_used = now();
    world_.send(c);
  }

  bool waits(const call_ptr& c) { return !c->over && at(c).limiter.standing_of(c->ticket, now()).has_value(); }

  void ask_again(const call_ptr& c, std::optional<duration> after) {
    if (!after) return;
    world_.loop().after(*after, [this, c, id = c->ticket, where = c->at] {
      if (c->ticket == id && c->at == where) route_again(c);
    });
  }

  /// The plan has changed, or time has passed: a waiting request may move.
  void route_again(const call_ptr& c) {
    if (accounts_.size() == 1 || !waits(c)) return;
    auto const next = choose_for(c, true);
    if (next.to != c->at) {
      move(c, next.to);
    } else {
      ask_again(c, next.ask_again);
    }
  }

  void leave(const call_ptr& c) {
    auto& a = at(c);
    a.driver.forget(c->ticket);
    a.limiter.leave(c->ticket, now());
    update(a);
  }

  void move(const call_ptr& c, std::size_t to) {
    leave(c);
    c->at = to;
    enter(c);
  }

  /// The upstream, or its account, does not serve: requests that wait there go elsewhere.
  void skip(std::size_t first, std::size_t last, duration length) {
    for (auto i = first; i <= last; ++i) accounts_[i]->usable_from = now() + length;
    std::map<std::uint64_t, call_ptr> waiting;
    for (auto i = first; i <= last; ++i)
      for (auto const& c : accounts_[i]->driver.waiting()) waiting.emplace(c->serial, c);
    for (auto const& [serial, c] : waiting) route_again(c);
  }

  void note_failure(std::size_t i, unsigned status) {
    if (accounts_.size() == 1) return;
    if (status == 401) {
      skip(i, i, set_aside_for);
    } else if (++accounts_[i]->failures >= breaker_policy{}.failure_threshold) {
      auto first = i, last = i;
      while (first > 0 && accounts_[first - 1]->upstream == accounts_[i]->upstream) --first;
      while (last + 1 < accounts_.size() && accounts_[last + 1]->upstream == accounts_[i]->upstream) ++last;
      skip(first, last, breaker_policy{}.open_for);
    }
  }

  /// A 400, 401 or 503, or no connection: a request that may be repeated keeps its ticket, or goes elsewhere.
  void failed(const call_ptr& c, const refusal& why) {
    auto& a = at(c);
    auto const where = c->at;
    if (why.status != 400) {
      c->failed_at |= std::uint64_t{1} << where;
      if (auto const next = choose_for(c, false); next.to != where && accounts_.size() > 1) {
        if (why.status == 503) {
          a.limiter.settle(c->ticket, std::nullopt, std::nullopt, now());
        } else {
          a.limiter.not_sent(c->ticket, now());
        }
        update(a);
        c->at = next.to;
        enter(c);
        note_failure(where, why.status);
        return;
      }
    }
    attempt_facts const f{.metered = true,
                          .method = "POST",
                          .repeats = c->repeats,
                          .allowed = allowed_repeats,
                          .sent = true,
                          .status = why.status,
                          .retry_after = why.retry_after};
    if (auto const pause = retry_pause(f)) {
      ++c->repeats;
      world_.loop().after(*pause, [this, c] { world_.send(c); });
      return;
    }
    auto const fields = view(why.headers);
    a.limiter.observe(c->ticket, {.status = why.status, .headers = fields, .error = {}}, now(), world_.wall());
    a.limiter.settle(c->ticket, why.status < 500 ? std::optional<std::uint64_t>(0) : std::nullopt, std::nullopt, now());
    world_.refuse(c, why.retry_helps(), why.retry_after);
    update(a);
  }

  void turn_away(const call_ptr& c, const cooldown::refused& why) {
    world_.refuse(c, text_of(why.why).retry_helps, why.retry_after);
  }

  void update(account& a) {
    auto const alarm = a.driver.update(now(), [this](const call_ptr& c, const ticket_event& e) {
      if (e.refusal) {
        turn_away(c, *e.refusal);
      } else {
        send(c);
      }
    });
    if (!alarm || *alarm == time_point::max()) return;
    world_.loop().at(*alarm, [this, &a, when = *alarm] {
      if (a.driver.alarm() != when) return;  // it has been set for another time since
      a.driver.alarm_rang();
      update(a);
    });
  }

  surroundings& world_;
  routing_rules rules_;
  std::vector<std::unique_ptr<account>> accounts_;  // by destination
};

}  // namespace

std::unique_ptr<scheduler> make_ours(const workload& w, surroundings& world) {
  return std::make_unique<ours>(w, world);
}

}  // namespace cooldown::bench
