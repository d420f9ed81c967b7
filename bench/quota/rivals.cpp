// What the limiter is compared with, besides the omniscient scheduler: clients without a proxy, and the limiter that
// this project began with.
#include <algorithm>
#include <array>
#include <map>

#include "cooldown/dialect/rate_limit_headers.hpp"

#include "quota/scheduler.hpp"

namespace cooldown::bench {
namespace {

using namespace std::chrono_literals;

/// No proxy: every request is sent at once, and its SDK sees the provider's 429.
class direct : public scheduler {
 public:
  explicit direct(surroundings& world) : world_(world) {}
  void submit(const call_ptr& c) override { world_.send(c); }
  void head(const call_ptr& /*c*/, const rate_headers& /*headers*/) override {}
  void refused(const call_ptr& c, const refusal& why) override { world_.refuse(c, why.retry_helps(), why.retry_after); }
  void done(const call_ptr& /*c*/) override {}
  void left(const call_ptr& /*c*/) override {}

 protected:
  surroundings& world_;
};

/// The seed's limiter: once a header shows that the next request does not fit, all requests wait for the whole reset (a
/// minute if none is sent) and are woken at once. Nothing is reserved, and 429s go to the client.
class seed final : public direct {
 public:
  explicit seed(surroundings& world) : direct(world) {}

  void submit(const call_ptr& c) override {
    auto& g = gates_[c->model];
    for (auto& [id, known] : g.known) {
      auto const cost = id.counts == resource::requests ? 1.0 : estimate(*c);
      if (!known || known->remaining >= cost) continue;
      g.until = std::max(g.until, known->reset);
      known.reset();
    }
    if (world_.loop().now() >= g.until) {
      world_.send(c);
      return;
    }
    g.waiting.emplace(c->serial, c);
    if (g.armed) return;
    g.armed = true;
    wake_at(g);
  }

  void head(const call_ptr& c, const rate_headers& headers) override { learn(gates_[c->model], headers); }

  void refused(const call_ptr& c, const refusal& why) override {
    auto& g = gates_[c->model];
    learn(g, why.headers);
    if (why.status == 429) g.until = std::max(g.until, world_.loop().now() + why.retry_after.value_or(60s));
    world_.refuse(c, why.retry_helps(), why.retry_after);
  }

  void left(const call_ptr& c) override { gates_[c->model].waiting.erase(c->serial); }

 private:
  struct level {
    double remaining;
    time_point reset;
  };
  struct gate {
    std::map<limit_id, std::optional<level>> known;
    time_point until{};
    bool armed = false;
    std::map<std::uint64_t, call_ptr> waiting;
  };

  static double estimate(const call& c) {
    return static_cast<double>(c.size.input_chars) / 4 + static_cast<double>(c.size.max_output_tokens.value_or(0));
  }

  void learn(gate& g, const rate_headers& headers) {
    auto const fields = view(headers);
    auto const parsed = parse_rate_limit_headers(fields, world_.wall());
    auto const* const snapshot = std::get_if<rate_limit_snapshot>(&parsed);
    if (snapshot == nullptr) return;
    for (auto const& [id, told] : snapshot->limits) {
      if (!told.remaining) continue;
      g.known[id] = level{static_cast<double>(*told.remaining), world_.loop().now() + told.reset.value_or(60s)};
    }
  }

  void wake_at(gate& g) {
    world_.loop().at(g.until, [this, &g] {
      if (world_.loop().now() < g.until) {
        wake_at(g);
        return;
      }
      g.armed = false;
      auto const woken = std::exchange(g.waiting, {});
      for (auto const& each : woken) world_.send(each.second);
    });
  }

  std::map<int, gate> gates_;  // a map, whose elements do not move
};

}  // namespace

const char* name_of(contestant c) {
  switch (c) {
    case contestant::omniscient:
      return "omniscient";
    case contestant::ours:
      return "ours";
    case contestant::seed:
      return "seed";
    case contestant::direct:
      return "direct";
  }
  return "";
}

std::unique_ptr<scheduler> make_scheduler(contestant who, const workload& w, surroundings& world) {
  switch (who) {
    case contestant::omniscient:
      return make_omniscient(world);
    case contestant::seed:
      return std::make_unique<seed>(world);
    case contestant::direct:
      return std::make_unique<direct>(world);
    case contestant::ours:
      break;
  }
  return make_ours(w, world);
}

}  // namespace cooldown::bench
