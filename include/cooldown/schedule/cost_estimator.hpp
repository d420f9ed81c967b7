// Tokens a request will be charged at admission, guessed from its size and corrected by what is seen.
#pragma once

#include <cstdint>
#include <optional>

namespace cooldown {

/// The facts of a request that its cost depends on.
struct request_size {
  std::uint64_t input_chars = 0;
  std::uint64_t images = 0;
  std::uint64_t choices = 1;
  std::optional<std::uint64_t> max_output_tokens;
  bool generates = true;  // false: embeddings, nothing is generated
};

/// One per scope. Starts from the documented rule, input + max_completion_tokens (API reference, "Rate limits"), and
/// learns what the account is really charged: characters per token from `usage`, the output part from header
/// differences.
class cost_estimator {
 public:
  /// Tokens charged at admission, rounded up; at least 1. `careful`: a missing maximum counts as the most that accounts
  /// have been seen to be charged for one, until headers have shown better.
  double estimate(const request_size& size, bool careful) const;

  /// The input part of it.
  double input_tokens(const request_size& size) const;

  /// The least that the input may be charged: texts differ, and one that is dear makes no other so.
  double least_input_tokens(const request_size& size) const;

  /// usage.prompt_tokens of a response. Keeps a high quantile, so that under-estimates are rare.
  void observe_prompt(const request_size& size, std::uint64_t prompt_tokens);

  /// The charge of one request as it showed in the headers. True: estimates have changed.
  bool observe_charge(const request_size& size, double charge);

  /// A request was admitted: a guess that refusals have raised comes down again, slowly, to what was seen.
  void observe_admission(const request_size& size);

  /// A request was refused though its estimate fitted: the charge must have been higher.
  void observe_refusal(const request_size& size);

  /// What a settled request cost in the end as a share of what was reserved: for forecasts.
  void observe_use(double reserved, double actual);
  double use_share() const { return use_share_; }
  bool use_known() const { return uses_ >= 5; }

  double tokens_per_char() const { return tokens_per_char_; }

  static constexpr double default_output = 512;      // while nothing is known of requests without a maximum
  static constexpr double highest_default = 16'384;  // the most seen charged for them

 private:
  double output_tokens(const request_size& size, bool careful) const;
  void observe_cap(double maximum, double charge, double most);

  double tokens_per_char_ = 0.3;          // between English prose (0.25) and code (0.35)
  double least_per_char_ = 0.1;           // of any believable text, or the lowest seen
  std::optional<double> default_output_;  // charged for a missing maximum
  double default_seen_ = 0;               // the same, before refusals raised it
  std::optional<double> output_cap_;      // the provider charges no more than this for any maximum
  std::optional<double> suspected_cap_;   // the last charge that looked like one
  double use_share_ = 1;
  std::uint64_t uses_ = 0;
  std::uint64_t observations_ = 0;
};

}  // namespace cooldown
