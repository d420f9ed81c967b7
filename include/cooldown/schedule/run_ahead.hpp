// Forecasts: a small copy of a scope's limits, pacing and answers, run ahead. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "cooldown/limit/limit_id.hpp"
#include "cooldown/limit/outlook.hpp"
#include "cooldown/schedule/token_cost.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Requests are sent one by one, each as soon as every limit admits it; their answers last as long as past answers.
/// Each request reserves its cost, and gives back what it has not used when its answer ends. Work is proportional to
/// the requests sent and the answers ended.
class run_ahead {
 public:
  /// The cost of a request, in tokens; `used` is the expected use of `reserved`.
  struct cost {
    double reserved = 0;
    double used = 0;
    double kept = 0;   // tokens that less urgent classes have saved
    duration lasts{};  // duration of its answer; zero: as long as others
    double input = 0;  // of the tokens
  };

  explicit run_ahead(time_point now) : at_(now) {}

  /// No request is sent before `when`.
  void opens_at(time_point when) { at_ = std::max(at_, when); }
  /// Minimum time between two requests.
  void space_out(duration between) { spacing_ = between; }
  /// At most so many requests are in flight; the lowest of several bounds applies.
  void bound(std::size_t most) { most_under_way_ = std::min(most_under_way_, static_cast<double>(most)); }
  void answers_last(duration d) { answer_time_ = d; }
  duration answer_time() const { return answer_time_; }
  /// Multiplies the answer times of requests that have not been sent yet.
  void answers_seem_longer(double factor) { longer_ = factor; }

  void counts_requests(outlook o) { requests_.push_back(std::move(o)); }
  /// `saved_in`: this limit holds what is saved for other classes.
  void counts_tokens(outlook o, resource counted = resource::tokens, bool saved_in = false) {
    if (saved_in) savings_ = tokens_.size();
    tokens_.push_back({std::move(o), counted});
  }

  /// `n` requests are in flight already, which cost `c` together; all were sent at about `sent`.
  void under_way(double n, const cost& c, time_point sent);

  /// When a request of cost `c` may be sent, if no answer ends before.
  time_point ready_at(const cost& c) const;

  /// Sends the next request. Returns when.
  time_point release(const cost& c);

  /// When the last of `n` more requests, which cost `all` together, has been sent: not simulated one by one, but by the
  /// rate that all limits allow.
  time_point after(double n, const cost& all) const;

 private:
  struct answer {
    time_point ends;
    time_point sent;
    double requests;
    cost tokens;
    bool operator<(const answer& o) const { return ends > o.ends; }  // a heap's top is the next to end
  };

  struct token_limit {
    outlook left;
    resource counted;
    double reserved(const cost& c) const { return token_cost{c.reserved, c.input}.of(counted); }
    double unused(const cost& c) const { return reserved(c) - c.used * left.used_part(); }
  };

  duration expected_answer(const cost& c) const;
  void start(double n, const cost& c, time_point sent, duration lasts);
  duration time_for(const token_limit& l, double n, const cost& all) const;
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
  std::vector<token_limit> tokens_;
  std::size_t savings_ = SIZE_MAX;  // index of the limit that holds savings
  std::vector<answer> answers_;     // a heap
};

}  // namespace cooldown
