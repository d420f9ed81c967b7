// Estimates the tokens that a request will be charged at admission, and learns from what was charged.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cooldown/schedule/input_estimator.hpp"
#include "cooldown/schedule/output_estimator.hpp"
#include "cooldown/schedule/request_size.hpp"
#include "cooldown/schedule/use_average.hpp"

namespace cooldown {

/// One per scope. Starts from the documented rule, input + max_completion_tokens (API reference, "Rate limits"), and
/// learns what the account is really charged: the input from `usage`, the output from headers.
class cost_estimator {
 public:
  /// Tokens charged at admission, rounded up; at least 1. `careful`: see output_estimator.
  double estimate(const request_size& size, bool careful, time_point now) const;

  /// The input's part of the estimate.
  double input_tokens(const request_size& size) const { return input_.tokens(size); }

  /// Lower bounds of the charge for the input, and for the output if a maximum is given.
  double least_input_tokens(const request_size& size) const { return input_.least(size); }
  double least_output_tokens(const request_size& size, time_point now) const { return output_.least(size, now); }

  /// usage.prompt_tokens of a response. True: estimates have changed noticeably.
  bool observe_prompt(const request_size& size, std::uint64_t prompt_tokens) {
    return input_.observe(size, prompt_tokens);
  }

  /// Learns from the charge of one request that headers showed. Returns true if estimates have changed.
  bool observe_charge(const request_size& size, const seen_charge& seen, time_point now) {
    return output_.observe(size, seen, input_.tokens(size), now);
  }

  void observe_admission(const request_size& size) { output_.admitted(size); }

  /// A request was refused although its estimate fitted: the charge may have been higher.
  void observe_refusal(const request_size& size) { output_.refused(size); }

  /// A request that fits only if less than its maximum is charged was refused.
  void observe_whole_maximum(time_point now) { output_.maximum_charged(now); }

  /// A settled request used `actual` of its `reserved` tokens; for forecasts.
  void observe_use(double reserved, double actual);

  /// The same for its output alone. `served`: false if the request itself was rejected, which costs nothing.
  void observe_output(double reserved, double actual, bool served) {
    served_ += served_rate * ((served ? 1 : 0) - served_);
    if (served) outputs_.observe(reserved, actual);
  }

  /// Expected use of a request with `reserved` tokens, `input` of them for its input.
  double expected_use(double reserved, double input) const {
    return use_known() ? served_ * (input + outputs_.expected(std::max(0.0, reserved - input))) : reserved;
  }
  double use_share() const { return use_share_; }
  bool use_known() const { return uses_ >= 5; }

  double tokens_per_char() const { return input_.tokens_per_char(); }

  learned_costs save(time_point now) const;
  /// Restores the state as of `saved`; invalid data is ignored.
  void restore(const learned_costs& s, time_point saved);

 private:
  input_estimator input_;
  output_estimator output_;
  static constexpr double served_rate = 0.05;

  use_average outputs_;
  double served_ = 1;  // share of the requests
  double use_share_ = 1;
  std::uint64_t uses_ = 0;
};

}  // namespace cooldown
