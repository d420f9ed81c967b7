#include "cooldown/net/upstreams.hpp"

#include <algorithm>
#include <utility>

namespace cooldown::net {
namespace {

routing_rules rules_of(const config::routing_settings& s) {
  routing_rules out{.spill_after = std::nullopt, .min_gain = s.min_gain, .next_on_failure = s.next_on_failure};
  if (s.spill_after) out.spill_after = *s.spill_after;
  return out;
}

}  // namespace

upstreams::upstreams(asio::io_context& io, deadline_sweep& sweep, const settings_ptr& settings)
    : io_(io), sweep_(sweep) {
  apply(prepare(settings));
}

upstreams::~upstreams() {
  // Look-ups that are under way have nobody to tell.
  for (auto const& [name, p] : providers_) p->retire();
}

std::vector<upstream_ptr> upstreams::prepare(const settings_ptr& settings) {
  std::vector<upstream_ptr> prepared;
  config::each_upstream(*settings, [&](const config::upstream_settings& of, const std::string& path) {
    auto const before = providers_.find(of.name);
    auto const made = make_provider(
        io_, sweep_, of, path, [this, name = of.name] { breaker_changed(name); },
        before == providers_.end() ? nullptr : before->second);
    for (auto& key : of.account_keys())
      prepared.push_back(std::make_shared<const upstream>(upstream{settings, &of, std::move(key), made}));
  });
  return prepared;
}

/// The limiter of an account goes on with its key; if no key is the same, with the next account of its upstream.
destination_ptr upstreams::take_former(std::vector<destination_ptr>& former, const upstream& next) const {
  auto const take = [&](bool same_key) -> destination_ptr {
    auto const found = std::find_if(former.begin(), former.end(), [&](const destination_ptr& d) {
      auto const& was = *d->upstream_of_now();
      return was.of->name == next.of->name && (!same_key || was.key == next.key);
    });
    if (found == former.end()) return nullptr;
    auto taken = *found;
    former.erase(found);
    return taken;
  };
  auto same = take(true);
  return same ? same : take(false);
}

void upstreams::apply(std::vector<upstream_ptr> prepared) {
  auto const& settings = *prepared.front()->settings;
  rules_ = rules_of(settings.routing);
  sticky_ = settings.routing.sticky;
  auto former = std::exchange(all_, {});
  auto const before = std::exchange(providers_, {});
  std::size_t account = 0;
  const config::upstream_settings* last = nullptr;
  for (auto& next : prepared) {
    account = next->of == last ? account + 1 : 0;
    last = next->of;
    if (account == 0) next->provider->breaker.configure(breaker_of(*next->of));
    providers_[next->of->name] = next->provider;
    auto d = take_former(former, *next);
    if (!d) d = std::make_shared<destination>(io_, *next);
    auto name = next->of->account_name(account);
    d->apply(std::move(next), std::move(name), all_.empty());
    all_.push_back(std::move(d));
  }
  for (auto const& [name, p] : before) {
    auto const now = providers_.find(name);
    if (now != providers_.end() && now->second == p) continue;
    opened_before_ += p->pool.opened();
    p->retire();
  }
  for (auto const& d : former) d->retire();
  for (auto const& [name, p] : providers_) p->gate.update();
  ask_again();
}

void upstreams::breaker_changed(const std::string& upstream) {
  for (auto const& d : all_)
    if (d->upstream_of_now()->of->name == upstream) d->bound_in_flight();
  auto const p = providers_.find(upstream);
  if (p == providers_.end()) return;
  auto const state = p->second->breaker.current(steady_now());
  if (std::exchange(p->second->breaker_was, state) == state) return;
  if (state != circuit_breaker::state::half_open) ask_again();
}

void upstreams::ask_again() {
  if (!several()) return;
  for (auto const& d : all_) d->gate.ask_again();
  for (auto const& [name, p] : providers_) p->gate.ask_again();
}

std::size_t upstreams::queue_length() const {
  std::size_t sum = 0;
  for (auto const& d : all_) sum += d->queue_length();
  return sum;
}

bool upstreams::pause(std::string_view name, bool paused) {
  bool found = false;
  for (auto const& d : all_) {
    if (d->name() != name && d->upstream_of_now()->of->name != name) continue;
    d->pause(paused);
    found = true;
  }
  if (found) ask_again();
  return found;
}

std::uint64_t upstreams::connections_opened() const {
  auto sum = opened_before_;
  for (auto const& [name, p] : providers_) sum += p->pool.opened();
  return sum;
}

void upstreams::close_idle() {
  for (auto const& [name, p] : providers_) p->pool.close_idle();
}

}  // namespace cooldown::net
