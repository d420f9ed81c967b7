#include "cooldown/limit/hidden_limit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cooldown {
namespace {

// A climb goes by a quarter, then by half, then it doubles; each step is held for this part of the window. A limit ten
// times as large is reached within one window.
constexpr double first_step = 0.25;
constexpr int step_part = 8;

// A climb that was refused makes the next one wait four times as long, until it costs no more than one refusal in so
// many admissions, or so many windows have passed.
constexpr double climb_patience = 4;
constexpr double cheap_requests = 500;
constexpr double longest_windows = 8;
constexpr unsigned most_failed_climbs = 4;
// A climb has found something if at least this much more is there.
constexpr double found_more = 1.2;

// So many requests between two refusals tell the refill to about a tenth: then measuring begins anew. Of fewer, one
// more may have fit.
constexpr double telling_requests = 8;

// In the first window there are two measures of it: what was admitted at all, if it was full then, and what has come
// back since it was used up. So many requests that came back, and measures so near to each other, leave no doubt that
// it is the limit itself, and nobody else's use.
constexpr double fewest_came_back = 2;
constexpr double nearly_same = 0.35;

// Lowered, and refused again with less than this part of what had come in before: lowering did not help. So many
// windows may lie between, and for so many it is not done again.
constexpr double even_less = 0.75;
constexpr int remembered_windows = 4;
constexpr int steadfast_windows = 10;

// What may be there beyond our count is tried by so much more speed: where it is not, one refusal says so.
constexpr double more_speed = 0.25;
// Each try that is refused makes the next one wait for so many times as many quiet windows.
constexpr double repayment_patience = 8;

// Asked in vain, it is asked again after as long as it has been empty, at most after this part of the window or this
// time.
constexpr int patient_part = 4;
constexpr duration most_patience = std::chrono::minutes{5};

// So many times what was admitted before it dried up is too high a value to be explained by others.
constexpr double absurd = 4;

// Refused for this part of the window, it was not a bucket that gave nothing, or somebody else took all of it.
constexpr int long_dry_part = 8;

}  // namespace

void hidden_limit::configure(double limit) {
  auto const guess = guessed_;
  *this = hidden_limit(limit, window_, born_);
  guessed_ = guess;
}

void hidden_limit::untake(double n, time_point sent) {
  if (!met_since(sent)) return;
  spent_at_empty_ -= n;
  spent_at_first_ -= n;
}

void hidden_limit::met(const meeting& m, bool fixed) {
  in_vain_ = dry_since_.has_value();
  if (!in_vain_) {
    if (!first_at_) {
      first_at_ = m.sent;
      spent_at_first_ = m.spent;
    }
    if (held_ && (m.at_once || told_)) {
      auto const held = m.at_once ? std::max(*held_, m.used - m.undecided) : *held_;
      value_ = std::min(value_, held);
      end_climb();
    } else if (!fixed && !told_ && !m.at_once && !is_measured_twice(m) && empty_at_) {
      judge(m);
    }
    if (std::exchange(repaid_, false)) failed_repayments_ = std::min(failed_repayments_ + 1, most_failed_repayments);
    calm_ = 0;
    dry_since_ = dry_until_ = m.sent;
    tried_at_ = m.now;
  }
  // Some say a whole window, whatever is true.
  bool const believable = m.word && 10 * *m.word < 9 * window_;
  dry_until_ = std::max(dry_until_, believable ? m.now + *m.word : m.sent);
  if (!fixed && was_dry(m.sent)) dried_up(m.used - m.undecided, m.n, m.now);
  met_at_ = m.now;
  owed_ = 0;
  if (!empty_at_ || m.spent - m.undecided - spent_at_empty_ >= telling_requests * m.n) {
    empty_at_ = m.sent;
    spent_at_empty_ = m.spent;
  }
}

/// Was it full at first, and never anybody else's? Then what was used is the limit.
bool hidden_limit::is_measured_twice(const meeting& m) {
  double const came_back = m.spent - m.undecided - spent_at_first_;
  if (m.now - born_ >= window_ || came_back < fewest_came_back * m.n) return false;
  double const full = (m.used - m.undecided) / (1 + seconds_of(m.sent - born_) / seconds_of(window_));
  double const by_refill = came_back * seconds_of(window_) / seconds_of(m.sent - *first_at_);
  if (full >= value_ || std::abs(by_refill - full) > nearly_same * full) return false;
  value_ = full;
  lowered_early_ = false;
  failed_climbs_ = std::max(failed_climbs_, 1U);
  dried_ = false;
  empty_at_.reset();
  forget_climb();
  return true;
}

/// What has come in since it was used up before is its refill, or what others leave of it. Where nothing came for long,
/// that was no bucket's refill: then the limit is what was admitted within a window, if our own log covers one.
void hidden_limit::judge(const meeting& m) {
  double const inflow = m.spent - m.undecided - spent_at_empty_;
  double const windows = std::max(1e-9, seconds_of(m.sent - *empty_at_) / seconds_of(window_));
  bool const telling = inflow >= telling_requests * m.n;
  double const used = m.used - m.undecided;
  double const seen = std::max(0.0, dried_ ? used : (inflow + (telling || held_ ? 0 : m.n)) / windows);
  // Of what we were admitted within a window, a bucket that was full at its start explains half.
  double const since = m.oldest ? std::min(1.0, seconds_of(m.now - *m.oldest) / seconds_of(window_)) : 1;
  double const least = std::max({1.0, held_.value_or(0), used / (1 + since)});
  bool const steady = m.spent - m.undecided - spent_at_run_ >= telling_requests * m.n;
  if (!dried_ || m.now - born_ >= window_) lower(seen, least, steady && (telling || dried_), m.now);
  if (dried_) empty_at_.reset();
  dried_ = false;
  end_climb();
}

void hidden_limit::end_climb() {
  if (held_) failed_climbs_ = value_ >= found_more * *held_ ? 0 : std::min(failed_climbs_ + 1, most_failed_climbs);
  forget_climb();
}

void hidden_limit::forget_climb() {
  held_.reset();
  step_ = 0;
}

void hidden_limit::told(double value) {
  value_ = guessed_ ? value : std::min(value, configured_);
  told_ = measured_ = true;
  failed_climbs_ = most_failed_climbs;
  forget_climb();
}

bool hidden_limit::was_dry(time_point sent) const {
  return dry_since_ && std::min(sent, dry_until_) - *dry_since_ >= window_ / long_dry_part;
}

/// A bucket of the present value would have given some.
void hidden_limit::dried_up(double used, double n, time_point now) {
  if (used < telling_requests * n || absurd * used > value_) return;
  lowered_early_ = now - born_ < window_;
  value_ = used;
  measured_ = true;
  failed_climbs_ = std::max(failed_climbs_, 1U);
  forget_climb();
  empty_at_.reset();
}

/// Where somebody comes and goes who takes everything, less speed brings even less: then the value was right.
void hidden_limit::lower(double seen, double least, bool telling, time_point now) {
  if (seen >= value_) return;
  if (!held_ && telling) {
    if (steadfast_until_ && now < *steadfast_until_) return;
    bool const lately = lowered_at_ && now - *lowered_at_ < remembered_windows * window_;
    if (lately && seen < even_less * seen_then_) {
      value_ = std::max(value_, lowered_from_);
      failed_climbs_ = 0;
      steadfast_until_ = now + steadfast_windows * window_;
      lowered_at_.reset();
      return;
    }
    if (!lately) {
      lowered_from_ = value_;
      seen_then_ = seen;
    }
    lowered_at_ = now;
  }
  lowered_early_ = lowered_early_ || now - born_ < window_;
  value_ = std::min(value_, std::max(least, seen));
}

bool hidden_limit::admitted(double spent, time_point sent, time_point now) {
  bool dry = false;
  if (dry_since_) {
    spent_at_run_ = spent;
    // Nothing may have been sent meanwhile: only refusals, or the provider's word, say that nothing came.
    dry = in_vain_ ? sent - *dry_since_ >= window_ / long_dry_part : was_dry(sent);
    dried_ = dried_ || dry;
  }
  dry_since_.reset();
  return std::exchange(in_vain_, false) && (dry || now - *met_at_ < window_ / long_dry_part);
}

/// Used up for a stretch without a refusal: there may be more.
void hidden_limit::taken(double n, double level, bool at_once, time_point now) {
  if (!met_at_ || dry_since_ || (!guessed_ && value_ >= configured_)) return;
  // What was seen in the first window may have been somebody else's, or an earlier process's.
  bool const again = lowered_early_ && now - born_ >= window_;
  if (again) {
    lowered_early_ = false;
    failed_climbs_ = 0;
  }
  if (!again && now - tried_at_ < (!held_ ? due(n) : at_once ? window_ : window_ / step_part)) return;
  if (level > std::max(2 * n, value_ / 10)) return;  // nobody waits for it
  climb(at_once ? n / value_ : first_step, now);
}

void hidden_limit::climb(double first, time_point now) {
  if (!held_) held_ = value_;
  tried_at_ = now;
  step_ = std::min(1.0, std::max(first, 2 * step_));
  value_ *= 1 + step_;
  if (!guessed_) value_ = std::min(value_, configured_);
}

void hidden_limit::step_held(double n, time_point now) {
  if (held_ && !dry_since_ && (guessed_ || value_ < configured_)) climb(n / value_, now);
}

/// While its value was too low, it has filled faster than we thought, unless somebody else was there.
double hidden_limit::repay(duration elapsed) {
  if (!met_at_ || guessed_) return 0;
  double const windows = seconds_of(elapsed) / seconds_of(window_);
  owed_ = std::min(configured_, owed_ + (configured_ - value_) * windows);
  calm_ += windows;
  bool const patient = failed_repayments_ == 0 || calm_ >= std::pow(repayment_patience, failed_repayments_ - 1);
  if (value_ < configured_ || dry_since_ || !patient) return 0;
  double const part = std::min(owed_, more_speed * value_ * windows);
  owed_ -= part;
  repaid_ = repaid_ || part > 0;
  if (part > 0 && owed_ <= 0 && failed_repayments_ > 0) --failed_repayments_;
  return part;
}

/// How long it is used without a refusal before a climb begins, by requests of `n`.
duration hidden_limit::due(double n) const {
  double const first = 1.0 / step_part;
  double const longest = std::clamp(cheap_requests * n / value_, first, longest_windows);
  return duration_of_seconds(seconds_of(window_) * std::min(longest, first * std::pow(climb_patience, failed_climbs_)));
}

duration hidden_limit::patience() const {
  if (!in_vain_) return duration::zero();
  return std::min<duration>({*met_at_ - *dry_since_, window_ / patient_part, most_patience});
}

}  // namespace cooldown
