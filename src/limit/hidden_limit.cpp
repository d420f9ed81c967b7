#include "cooldown/limit/hidden_limit.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// It is tried higher after a stretch of use without a refusal: a minute, or this part of a longer window. A try that is
// refused makes the next one wait twice as long, so often.
constexpr int stretch_part = 30;
constexpr duration shortest_stretch = std::chrono::minutes{1};
constexpr unsigned most_failed_steps = 2;
// How soon half of what we were admitted once is forgotten, in windows.
constexpr double proof_half_life = 10;
// A sliding one is lowered by this.
constexpr double lower_step = 0.97;
// So many requests between two refusals tell the refill well enough to begin anew.
constexpr double telling_requests = 8;
// Asked in vain for this part of the window is long.
constexpr int patient_part = 8;

}  // namespace

void hidden_limit::configure(double limit) {
  configured_ = limit;
  value_ = limit;
  met_at_.reset();
  empty_at_.reset();
  step_ = first_step;
  raised_ = false;
  in_vain_ = false;
  failed_steps_ = 0;
}

void hidden_limit::untake(double n, time_point sent) {
  if (empty_at_ && met_since(sent)) spent_at_empty_ -= n;
}

bool hidden_limit::met(const meeting& m, bool fixed) {
  double const inflow = m.spent - m.undecided - spent_at_empty_;
  bool const asked_in_vain = empty_at_ && inflow < m.n;
  if (empty_at_ && !asked_in_vain && !fixed) lower(m);
  if (!met_at_) tried_at_ = m.now;
  met_at_ = m.now;
  in_vain_ = asked_in_vain;
  if (!empty_at_ || inflow >= telling_requests * m.n) {
    empty_at_ = m.sent;
    spent_at_empty_ = m.spent;
  }
  return asked_in_vain;
}

/// What has come in between two moments at which it was used up is its refill, or what others leave of it. And of what
/// we were admitted within a window, a bucket that was full at its start explains half.
void hidden_limit::lower(const meeting& m) {
  if (raised_) failed_steps_ = std::min(failed_steps_ + 1, most_failed_steps);
  raised_ = false;
  step_ = first_step;
  double const since = m.oldest ? std::min(1.0, seconds_of(m.now - *m.oldest) / seconds_of(window_)) : 1;
  double const used = m.used - m.undecided;
  // Lately there was so much more: others may be here for a moment only.
  proven_ =
      std::max(used, proven_ * std::exp2(-seconds_of(m.now - proven_at_) / (proof_half_life * seconds_of(window_))));
  proven_at_ = m.now;
  double const least = std::max({1.0, used / (1 + since), proven_ / 2});
  double const inflow = m.spent - m.undecided - spent_at_empty_;
  double const over = seconds_of(m.sent - *empty_at_);
  value_ = std::min(value_, std::max(least, inflow * seconds_of(window_) / over));
}

bool hidden_limit::admitted(time_point now) {
  bool const lately = in_vain_ && now - *met_at_ < window_ / patient_part;
  in_vain_ = false;
  return lately;
}

/// Used up for a stretch without a refusal: there may be more. Each step is larger than the one before.
void hidden_limit::taken(double n, double level, time_point now) {
  if (!met_at_ || value_ >= configured_) return;
  if (now - tried_at_ < stretch() * (raised_ ? 1 : 2 << failed_steps_)) return;
  if (level > std::max(2 * n, value_ / 10)) return;  // nobody waits for it
  if (raised_) failed_steps_ = 0;
  raised_ = true;
  tried_at_ = now;
  value_ = std::min(configured_, value_ * (1 + step_));
  step_ = std::min(1.0, 2 * step_);
}

/// How long it is used without a refusal before it is tried higher.
duration hidden_limit::stretch() const {
  return std::min(window_, std::max(shortest_stretch, window_ / stretch_part));
}

bool hidden_limit::long_in_vain(time_point sent) const {
  return in_vain_ && sent - *empty_at_ > window_ / patient_part;
}

void hidden_limit::shrink() {
  value_ = std::max(1.0, lower_step * value_);
}

}  // namespace cooldown
