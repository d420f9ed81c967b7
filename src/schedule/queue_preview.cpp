#include "cooldown/schedule/queue_preview.hpp"

#include <algorithm>

#include "class_turns.hpp"

namespace cooldown {

queue_preview::queue_preview(const request_queue& of, std::size_t most, duration ageing)
    : queue_(of), left_(most), ageing_(ageing), out_of_turn_(of.out_of_turn_) {
  for (std::size_t i = 0; i < urgency_count; ++i) {
    auto const& from = of.classes_[i];
    auto& to = classes_[i];
    to.since = from.since;
    to.saved = from.saved;
    to.size = from.size;
    // In order, and so a heap. Later ones cannot have their turn among the first `most`.
    for (auto const& t : from.turns) {
      if (to.turns.size() == most) break;
      to.turns.push_back({t.tag, t.arrival, t.whose, t.whose->tickets.begin()});
    }
  }
}

queue_preview::urgency_class* queue_preview::in_turn() {
  auto const first = std::find_if(classes_.begin(), classes_.end(), [](auto const& c) { return c.size > 0; });
  return left_ == 0 || first == classes_.end() ? nullptr : &*first;
}

queue_preview::urgency_class* queue_preview::overdue(time_point now) {
  return out_of_turn_ || ageing_ <= duration::zero() ? nullptr : class_turns::overdue(classes_, now, ageing_);
}

double queue_preview::kept_below(const urgency_class& c) const {
  return ageing_ > duration::zero() ? class_turns::kept_below(classes_, c) : 0;
}

queue_preview::entry queue_preview::take(urgency_class& c, time_point now) {
  out_of_turn_ = &c != in_turn();
  --left_;
  double const kept = out_of_turn_ ? 0 : kept_below(c);
  std::pop_heap(c.turns.begin(), c.turns.end());
  auto t = c.turns.back();
  c.turns.pop_back();
  auto const& w = t.at->second;
  entry const result{w.id, w.cost, queue_.expected_use(*t.whose, w.cost), kept, t.whose->answer_time};
  --c.size;
  c.since = now;
  t.tag += result.charged / request_queue::weight_of(*t.whose);
  if (++t.at != t.whose->tickets.end()) {
    t.arrival = t.at->first;
    c.turns.push_back(t);
    std::push_heap(c.turns.begin(), c.turns.end());
  }
  if (c.turns.empty()) c.size = 0;  // of what waits beyond, nothing is asked
  class_turns::share_out(classes_, static_cast<std::size_t>(&c - classes_.data()), result.charged, now, ageing_);
  return result;
}

}  // namespace cooldown
