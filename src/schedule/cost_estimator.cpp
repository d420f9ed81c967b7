#include "cooldown/schedule/cost_estimator.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

constexpr double image_tokens = 1'000;            // a high-detail image at most models
constexpr double least_image_tokens = 50;         // one of low detail
constexpr double overhead_tokens = 8;             // role markers of a chat template
constexpr std::uint64_t enough_observations = 8;  // beyond, what was learned contains some of it
constexpr double quantile = 0.9;
constexpr double learning_rate = 0.05;      // of the ratio, per observation
constexpr double least_input = 0.6;         // of our guess of an input, at least so much is charged if any of it is
constexpr double clearly_less = 0.9;        // a charge below this share of the maximum asked for: there is a cap
constexpr double least_telling = 1'024;     // what is charged for a smaller maximum tells nothing of larger ones
constexpr double kept_of_raise = 0.98;      // of a guess that a refusal has doubled, per admission
constexpr double same_cap = 0.1;            // two charges this near to each other, as a share, show one cap
constexpr std::uint64_t enough_chars = 64;  // below, the overhead drowns the ratio

}  // namespace

double cost_estimator::input_tokens(const request_size& size) const {
  return (observations_ < enough_observations ? overhead_tokens : overhead_tokens / 2) +
         static_cast<double>(size.input_chars) * tokens_per_char_ + static_cast<double>(size.images) * image_tokens;
}

double cost_estimator::least_input_tokens(const request_size& size) const {
  return static_cast<double>(size.input_chars) * least_per_char_ +
         static_cast<double>(size.images) * least_image_tokens;
}

double cost_estimator::output_tokens(const request_size& size, bool careful) const {
  if (!size.generates) return 0;
  double one = default_output_.value_or(careful ? highest_default : default_output);
  if (size.max_output_tokens) one = static_cast<double>(*size.max_output_tokens);
  if (output_cap_) one = std::min(one, *output_cap_);
  return one * static_cast<double>(std::max<std::uint64_t>(1, size.choices));
}

double cost_estimator::estimate(const request_size& size, bool careful) const {
  return std::max(1.0, std::ceil(input_tokens(size) + output_tokens(size, careful)));
}

void cost_estimator::observe_prompt(const request_size& size, std::uint64_t prompt_tokens) {
  if (size.input_chars < enough_chars || size.images > 0) return;
  // The overhead stays on top: a little too much is a little wait, a little too little a refusal.
  // One more for what was rounded down: of a short prompt it would make much too little of a long one.
  double const ratio =
      std::clamp(static_cast<double>(prompt_tokens + 1) / static_cast<double>(size.input_chars), 0.01, 4.0);
  least_per_char_ = std::min(least_per_char_, ratio);
  // Stochastic approximation of a quantile: nine steps down weigh as much as one up.
  double const direction = ratio > tokens_per_char_ ? quantile : quantile - 1;
  double const rate = std::max(learning_rate, 1.0 / static_cast<double>(++observations_));
  double const step = tokens_per_char_ * rate * direction;
  double const next = tokens_per_char_ + step;
  // Never beyond what was seen: a constant ratio is found exactly.
  tokens_per_char_ = direction > 0 ? std::min(next, ratio) : std::max(next, ratio);
  if (ratio > tokens_per_char_ * 1.2) tokens_per_char_ = ratio;  // far off: believe it at once
}

bool cost_estimator::observe_charge(const request_size& size, double charge) {
  if (!size.generates || size.choices != 1 || charge < 1) return false;
  // How much of it is the input is not certain: our guess may be too high, and some accounts charge small inputs
  // nothing.
  double const input = input_tokens(size);
  double const most = std::max(1.0, charge - least_input * input);
  auto const cap_before = output_cap_;
  auto const default_before = default_output_;
  if (!size.max_output_tokens) {
    default_output_ = default_seen_ = most;
  } else if (auto const maximum = static_cast<double>(*size.max_output_tokens); charge < clearly_less * maximum) {
    observe_cap(maximum, charge, most);
  } else if (output_cap_ && charge - input > *output_cap_ + overhead_tokens) {
    output_cap_.reset();
    suspected_cap_.reset();
  }
  return output_cap_ != cap_before || default_output_ != default_before;
}

/// Less than the maximum was charged. A charge that reaches it proves nothing: the input may have been free.
void cost_estimator::observe_cap(double maximum, double charge, double most) {
  if (maximum < least_telling) return;
  bool const agrees = suspected_cap_ && std::abs(most - *suspected_cap_) <= same_cap * std::max(most, *suspected_cap_);
  // Below what accounts have been seen to charge, it may have been something else, once.
  if (charge >= highest_default || agrees) output_cap_ = most;
  suspected_cap_ = most;
}

void cost_estimator::observe_admission(const request_size& size) {
  if (!size.max_output_tokens && default_output_)
    default_output_ = std::max(default_seen_, *default_output_ * kept_of_raise);
}

void cost_estimator::observe_refusal(const request_size& size) {
  if (!size.generates) return;
  if (!size.max_output_tokens && default_output_) default_output_ = std::min(highest_default, *default_output_ * 2);
  if (output_cap_) {
    output_cap_ = *output_cap_ * 2;
    if (*output_cap_ > 1e9) output_cap_.reset();
  }
}

void cost_estimator::observe_use(double reserved, double actual) {
  if (!(reserved > 0)) return;
  // The first observations count for more, so that five of them are an estimate.
  ++uses_;
  use_share_ += std::max(0.1, 1 / static_cast<double>(uses_)) * (std::clamp(actual / reserved, 0.0, 2.0) - use_share_);
}

}  // namespace cooldown
