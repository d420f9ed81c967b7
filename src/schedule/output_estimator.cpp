#include "cooldown/schedule/output_estimator.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

constexpr double least_input = 0.6;      // of our guess of an input, at least so much is charged if any of it is
constexpr double most_input = 1.1;       // of it, no more than so much is
constexpr double clearly_less = 0.9;     // a charge below this share of the maximum asked for: there is a cap
constexpr double least_telling = 1'024;  // what is charged for a smaller maximum tells nothing of larger ones
constexpr double rounding = 10;          // tokens: a remaining is read some milliseconds after the charge
constexpr double kept_of_raise = 0.98;   // of a guess that refusals have doubled, per admission
constexpr double beyond_all = 1e9;       // a cap that has been doubled up to here is none

// How long what was learned holds unconfirmed, and a refused doubt at first.
constexpr duration memory = std::chrono::hours{1};
constexpr duration first_pause = std::chrono::minutes{5};
constexpr duration longest_pause = std::chrono::hours{24};

}  // namespace

double output_estimator::tokens(const request_size& size, bool careful, time_point now) const {
  if (!size.generates) return 0;
  double one = known_default(now).value_or(careful ? highest_default : default_output);
  if (size.max_output_tokens) one = static_cast<double>(*size.max_output_tokens);
  if (auto const cap = known_cap(now)) one = std::min(one, *cap);
  return one * static_cast<double>(std::max<std::uint64_t>(1, size.choices));
}

double output_estimator::least(const request_size& size, time_point now) const {
  if (!size.max_output_tokens) return 0;
  double const whole = tokens(size, true, now);
  return now < charged_until_ || size.choices > 1 ? whole : std::min(whole, highest_default);
}

bool output_estimator::observe(const request_size& size, const seen_charge& seen, double input, time_point now) {
  if (!size.generates || size.choices != 1 || seen.tokens < 1) return false;
  auto const cap_before = known_cap(now);
  auto const default_before = known_default(now);
  if (size.max_output_tokens) {
    observe_maximum(static_cast<double>(*size.max_output_tokens), seen, input, now);
  } else {
    // How much of it is the input is not certain: our guess may be too high, and some accounts charge small inputs
    // nothing.
    observe_default(std::max(1.0, seen.tokens - least_input * input), seen.alone, now);
  }
  return known_cap(now) != cap_before || known_default(now) != default_before;
}

/// What others may be a part of is no less than what this one was charged.
void output_estimator::observe_default(double most, bool alone, time_point now) {
  if (!alone) most = std::min({most, highest_default, known_default(now).value_or(highest_default)});
  default_ = default_seen_ = most;
  default_until_ = now + memory;
}

/// A charge that reaches the maximum proves nothing where that is below the cap: the input may have been free.
void output_estimator::observe_maximum(double maximum, const seen_charge& seen, double input, time_point now) {
  if (maximum < least_telling) return;
  if (seen.tokens < clearly_less * maximum) return support_cap(seen.tokens, input, now);
  if (auto const cap = known_cap(now); cap && seen.alone && seen.tokens - input > *cap + rounding) {
    cap_.reset();
    supported_ = false;
  }
}

/// Less than the maximum was charged. Below what accounts have been seen to charge, it may have been something else,
/// once.
void output_estimator::support_cap(double charge, double input, time_point now) {
  double const from = std::max(1.0, charge - most_input * input);
  bool const agrees = supported_ && from <= cap_to_ + rounding && charge + rounding >= cap_from_;
  cap_from_ = agrees ? std::max(cap_from_, from) : from;
  cap_to_ = agrees ? std::min(cap_to_, charge) : charge;
  supported_ = true;
  doubts_ = 0;
  if (!agrees && charge < highest_default) return;
  cap_ = std::min(cap_to_, std::max(1.0, charge - least_input * input));
  cap_until_ = now + memory;
}

void output_estimator::admitted(const request_size& size) {
  refusals_ = 0;
  if (!size.max_output_tokens && default_) default_ = std::max(default_seen_, *default_ * kept_of_raise);
}

void output_estimator::refused(const request_size& size) {
  if (!size.generates || ++refusals_ < 2) return;
  if (!size.max_output_tokens && default_) default_ = std::max(*default_, std::min(highest_default, *default_ * 2));
  bool const capped = cap_ && size.max_output_tokens && static_cast<double>(*size.max_output_tokens) > *cap_;
  if (capped && (*cap_ *= 2) > beyond_all) cap_.reset();
}

void output_estimator::maximum_charged(time_point now) {
  charged_until_ = now + std::min<duration>(first_pause * (1U << std::min(doubts_++, 9U)), longest_pause);
}

}  // namespace cooldown
