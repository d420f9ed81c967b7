// Whose turn it would be, kept over a restart.
#include <cmath>

#include "cooldown/schedule/request_queue.hpp"

namespace cooldown {
namespace {

constexpr double furthest = 1e9;  // tokens by weight
constexpr std::size_t most_clients = 1'024;

}  // namespace

/// Who has had no more than its share is like one that was never seen, but for what it uses.
learned_shares request_queue::save() const {
  learned_shares s{.use = use_.save(), .clients = {}};
  for (auto const& c : classes_)
    for (auto const& [client, f] : c.flows) {
      double const ahead = f->tag - c.virtual_time;
      if (s.clients.size() == most_clients || (ahead <= 0 && !f->use.known())) continue;
      s.clients.push_back({.urgency = static_cast<std::uint8_t>(&c - classes_.data()),
                           .client = client,
                           .weight = f->weight,
                           .ahead = std::max(0.0, ahead),
                           .use = f->use.save()});
    }
  return s;
}

/// Only while nobody has asked yet.
void request_queue::restore(const learned_shares& s) {
  use_.restore(s.use);
  std::size_t restored = 0;
  for (auto const& each : s.clients) {
    learned_reader read({});
    double const weight = read.number(each.weight, 1e-3, 1e3);
    double const ahead = read.number(each.ahead, 0, furthest);
    if (!read.sane() || each.urgency >= urgency_count || ++restored > most_clients) continue;
    auto& slot = classes_[each.urgency].flows[each.client];
    if (!slot) slot = std::make_unique<flow>();
    slot->weight = weight;
    slot->tag = classes_[each.urgency].virtual_time + ahead;
    slot->use.restore(each.use);
  }
}

}  // namespace cooldown
