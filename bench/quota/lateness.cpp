#include "quota/lateness.hpp"

namespace cooldown::bench {

void lateness::waits(const call_ptr& c, time_point now) {
  auto& l = lines_[c->model];
  l.waiting.emplace(c->serial, c);
  if (l.waiting.begin()->first != l.head) look(l, now);
}

void lateness::released(const call_ptr& c, time_point now) {
  auto const& l = lines_[c->model];
  if (l.head == c->serial && l.earliest && *l.earliest <= now && c->submitted < now) {
    seconds_.push_back(seconds_of(now - *l.earliest));
  }
  gone(c, now);
}

void lateness::gone(const call_ptr& c, time_point now) {
  auto& l = lines_[c->model];
  if (l.waiting.erase(c->serial) > 0 && c->serial == l.head) look(l, now);
}

void lateness::quota_changed(time_point now) {
  for (auto& each : lines_) look(each.second, now);
}

/// A head that was admissible stays admissible since then, unless the change has used up its room.
void lateness::look(line& l, time_point now) {
  if (l.waiting.empty()) {
    l.head = 0;
    return;
  }
  auto const& [serial, head] = *l.waiting.begin();
  auto const when = ask_(head);
  bool const still = serial == l.head && l.earliest && *l.earliest <= now && when && *when <= now;
  l.head = serial;
  if (!still) l.earliest = when;
}

}  // namespace cooldown::bench
