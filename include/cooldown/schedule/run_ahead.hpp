// What will become of those that wait: a scope's limits, its pace and its answers, run ahead on a small copy. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cooldown/limit/outlook.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Requests go one by one, each as soon as every limit admits it, and their answers last as long as answers have
/// lasted. Each reserves its cost, and gives back what it has not used when its answer ends. Work is proportional to
/// the requests that go and the answers that end.
class run_ahead {
 public:
  /// What a request costs. `used` is what it is expected to use of its `reserved` tokens.
  struct cost {
    double reserved = 0;
    double used = 0;
    double kept = 0;   // tokens that less urgent classes have saved
    duration lasts{};  // its answer; zero: as long as others
  };

  explicit run_ahead(time_point now) : at_(now) {}

  /// Nothing goes before `when`.
  void opens_at(time_point when) { at_ = std::max(at_, when); }
  /// From one to the next it takes so long at least.
  void space_out(duration between) { spacing_ = between; }
  /// At most so many are under way at a time; several such bounds: the lowest.
  void bound(std::size_t most) { most_under_way_ = std::min(most_under_way_, static_cast<double>(most)); }
  void answers_last(duration d) { answer_time_ = d; }
  duration answer_time() const { return answer_time_; }
  /// Those of requests that have yet to go, by this factor.
  void answers_seem_longer(double factor) { longer_ = factor; }

  void counts_requests(outlook o) { requests_.push_back(std::move(o)); }
  /// `saved_in`: what is kept for others is kept in this one.
  void counts_tokens(outlook o, bool saved_in = false) {
    if (saved_in) savings_ = tokens_.size();
    tokens_.push_back(std::move(o));
  }

  /// `n` requests that are under way already, which cost `c` together; all went at `sent`, about.
  void under_way(double n, const cost& c, time_point sent);

  /// When such a one may go, if no answer ends before.
  time_point ready_at(const cost& c) const;

  /// The next one goes. Returns when.
  time_point release(const cost& c);

  /// When the last of `n` more has gone, which cost `all` together: not one by one, but at the pace that all allow.
  time_point after(double n, const cost& all) const;

 private:
  struct answer {
    time_point ends;
    time_point sent;
    double requests;
    cost tokens;
    bool operator<(const answer& o) const { return ends > o.ends; }  // a heap's top is the next to end
  };

  duration expected_answer(const cost& c) const;
  void start(double n, const cost& c, time_point sent, duration lasts);
  duration time_for(const outlook& o, double n, const cost& all) const;
  void advance(time_point t);
  void end_next();

  double seconds_of_answer() const { return seconds_of(answer_time_) * longer_; }

  time_point at_;
  duration spacing_{};
  duration answer_time_{};
  double longer_ = 1;
  double most_under_way_ = 1e18;
  double under_way_ = 0;
  std::vector<outlook> requests_;
  std::vector<outlook> tokens_;
  std::size_t savings_ = SIZE_MAX;  // of these, the one that is saved in
  std::vector<answer> answers_;     // a heap
};

}  // namespace cooldown
