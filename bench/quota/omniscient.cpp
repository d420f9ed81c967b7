// The reference for every share: a scheduler that sees the provider's quota itself.
#include <map>

#include "quota/scheduler.hpp"

namespace cooldown::bench {
namespace {

/// First come, first served; the head is sent the moment the provider would admit it.
class omniscient final : public scheduler {
 public:
  explicit omniscient(surroundings& world) : world_(world) {}

  void submit(const call_ptr& c) override {
    queues_[c->model].emplace(c->serial, c);
    quota_changed();
  }
  void head(const call_ptr& /*c*/, const rate_headers& /*headers*/) override {}
  /// It would have sent the request a moment earlier or later, had it known.
  void refused(const call_ptr& c, const refusal& why) override {
    if (why.retry_helps()) {
      submit(c);
    } else {
      world_.refuse(c, false, std::nullopt);
    }
  }
  void done(const call_ptr& /*c*/) override {}
  void left(const call_ptr& c) override {
    queues_[c->model].erase(c->serial);
    quota_changed();
  }

  /// Sending changes the quota, which calls this function again; the call already running handles that.
  void quota_changed() override {
    if (busy_) return;
    busy_ = true;
    for (auto& each : queues_) serve(each.first, each.second);
    busy_ = false;
  }

 private:
  using queue = std::map<std::uint64_t, call_ptr>;

  void serve(int model, queue& q) {
    while (!q.empty()) {
      auto const c = q.begin()->second;
      auto const when = world_.admissible_at(c);
      if (when && *when > world_.loop().now()) {
        wake(model, *when);
        return;
      }
      q.erase(q.begin());
      if (when) {
        world_.send(c);
      } else {
        world_.refuse(c, false, std::nullopt);
      }
    }
  }

  void wake(int model, time_point when) {
    auto& armed = armed_[model];
    if (armed == when) return;
    armed = when;
    world_.loop().at(when, [this, model, when] {
      if (armed_[model] != when) return;
      armed_[model] = {};
      quota_changed();
    });
  }

  surroundings& world_;
  std::map<int, queue> queues_;
  std::map<int, time_point> armed_;
  bool busy_ = false;
};

}  // namespace

std::unique_ptr<scheduler> make_omniscient(surroundings& world) {
  return std::make_unique<omniscient>(world);
}

}  // namespace cooldown::bench
