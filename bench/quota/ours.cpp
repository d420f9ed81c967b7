// The limiter under test, driven as net/admission drives it.
#include "cooldown/exchange/retry.hpp"
#include "cooldown/schedule/limiter_driver.hpp"

#include "quota/scheduler.hpp"

namespace cooldown::bench {
namespace {

constexpr unsigned allowed_repeats = 2;  // the proxy's default

class ours final : public scheduler {
 public:
  ours(const workload& w, surroundings& world) : world_(world), limiter_(settings_of(w)) {}

  void submit(const call_ptr& c) override {
    ticket_facts t;
    t.scope = scope_of(*c);
    t.size = c->size;
    t.client = c->client;
    t.weight = c->group->weight;
    t.urgency = c->group->urgency;
    c->forecast.reset();
    auto const decided = limiter_.submit(t, now());
    if (auto const* const yes = std::get_if<go>(&decided)) {
      c->ticket = yes->id;
      world_.send(c);
    } else if (auto const* const wait = std::get_if<queued>(&decided)) {
      c->ticket = wait->id;
      c->forecast = seconds_of(wait->expected - now());
      driver_.wait(wait->id, c);
      update();
    } else {
      turn_away(c, std::get<cooldown::refused>(decided));
    }
  }

  void head(const call_ptr& c, const rate_headers& headers) override {
    auto const fields = view(headers);
    limiter_.observe(c->ticket, {.status = 200, .headers = fields, .error = {}}, now(), world_.wall());
    update();
  }

  void refused(const call_ptr& c, const refusal& why) override {
    if (why.status != 429) {
      failed(c, why);
      return;
    }
    auto const fields = view(why.headers);
    answer const a{.status = 429, .headers = fields, .error = {why.error.message, why.error.type, why.error.code}};
    auto const seen = limiter_.observe(c->ticket, a, now(), world_.wall());
    if (seen.what == verdict::queue_again) {
      driver_.wait(c->ticket, c);
    } else {
      limiter_.settle(c->ticket, 0, std::nullopt, now());
      if (seen.what == verdict::refuse && seen.refusal) {
        turn_away(c, *seen.refusal);
      } else {
        world_.refuse(c, true, why.retry_after);
      }
    }
    update();
  }

  void done(const call_ptr& c) override {
    auto const input = static_cast<std::uint64_t>(c->facts.input_tokens);
    if (c->without_usage) {
      limiter_.settle(c->ticket, std::nullopt, std::nullopt, now());
    } else {
      limiter_.settle(c->ticket, input + static_cast<std::uint64_t>(c->output), input, now(),
                      static_cast<std::uint64_t>(c->facts.cached_tokens));
    }
    update();
  }

  void left(const call_ptr& c) override {
    driver_.forget(c->ticket);
    limiter_.leave(c->ticket, now());
    update();
  }

  void go_on(scheduler& former) override {
    limiter_.restore(former.limiter()->save(now(), world_.wall()), now(), world_.wall());
  }
  cerebras_limiter* limiter() override { return &limiter_; }
  double believed(const call_ptr& c) override { return limiter_.status(scope_of(*c), now()).remaining_tokens; }

 private:
  static limiter_settings settings_of(const workload& w) {
    limiter_settings s;
    s.quota.rpm_limit = w.rpm_limit;
    s.quota.tpm_limit = w.tpm_limit;
    s.quota.limits = w.configured;
    return s;
  }
  static scope_name scope_of(const call& c) { return {1, c.model == 0 ? "m" : "n"}; }
  time_point now() const { return world_.loop().now(); }

  /// A 400 or a 503: a request that may be retried keeps its ticket.
  void failed(const call_ptr& c, const refusal& why) {
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
    limiter_.observe(c->ticket, {.status = why.status, .headers = fields, .error = {}}, now(), world_.wall());
    limiter_.settle(c->ticket, why.status < 500 ? std::optional<std::uint64_t>(0) : std::nullopt, std::nullopt, now());
    world_.refuse(c, why.retry_helps(), why.retry_after);
    update();
  }

  void turn_away(const call_ptr& c, const cooldown::refused& why) {
    world_.refuse(c, text_of(why.why).retry_helps, why.retry_after);
  }

  void update() {
    auto const alarm = driver_.update(now(), [this](const call_ptr& c, const ticket_event& e) {
      if (e.refusal) {
        turn_away(c, *e.refusal);
      } else {
        world_.send(c);
      }
    });
    if (!alarm || *alarm == time_point::max()) return;
    world_.loop().at(*alarm, [this, when = *alarm] {
      if (driver_.alarm() != when) return;  // it has been set for another time since
      driver_.alarm_rang();
      update();
    });
  }

  surroundings& world_;
  cerebras_limiter limiter_;
  limiter_driver<call_ptr> driver_{limiter_};
};

}  // namespace

std::unique_ptr<scheduler> make_ours(const workload& w, surroundings& world) {
  return std::make_unique<ours>(w, world);
}

}  // namespace cooldown::bench
