#include "cooldown/core/budget.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// How many resets in a row must equal (limit - remaining) / rate before we believe that refill is continuous: one may
// do so by chance in any window, three hardly ever.
constexpr unsigned votes_needed = 3;

// Even requests one after the other reach the provider after different delays, and it refills meanwhile: the lowest of
// so many corrections holds at least.
constexpr unsigned shortest_horizon = 4;

// Released this much after the model says that it fits: clocks tick, remainders are cut to whole units.
constexpr duration guard = std::chrono::milliseconds{5};

// How long drift is averaged over, and how much of the refill may be given up for lost: some remains to find out with.
constexpr duration drift_memory = std::chrono::seconds{10};
constexpr double most_drift = 0.95;

// Doubles of this size add up in the 12th digit; a wait of a nanosecond for a millionth of a token would be silly.
constexpr double epsilon = 1e-6;

}  // namespace

const char* name_of(refill r) {
  return r == refill::continuous ? "continuous" : "window";
}

budget::budget(double limit, duration window, refill model, time_point now, const budget_settings& settings)
    : settings_(settings), limit_(limit), window_(window), at_(now), level_(limit), model_(model) {}

void budget::set_limit(double limit) {
  level_ = std::min(level_, limit);
  limit_ = limit;
}

/// The announced reset has passed. A tenth is assumed until a fresh header tells how much there really is.
void budget::roll(time_point now) {
  level_ = std::min(capacity(), std::max(level_, limit_ / 10));
  reset_at_.reset();
  assumed_ = true;
  probed_at_.reset();
  taken_since_reset_ = 0;
  observations_ = 0;
  correction_ = 0;
  ++epoch_;
  at_ = now;
}

void budget::advance(time_point now) {
  if (now <= at_) return;
  if (model_ == refill::continuous) {
    level_ = std::min(capacity(), level_ + (rate() - drift_) * seconds_of(now - at_));
  } else {
    if (reset_at_ && now >= *reset_at_ + settings_.reset_buffer) roll(now);
    if (assumed_ && probed_at_ && now >= *probed_at_ + settings_.header_timeout) {
      assumed_ = false;
      level_ = limit_ - taken_since_reset_;
    }
  }
  at_ = now;
}

double budget::level(time_point now) {
  advance(now);
  return level_;
}

time_point budget::ready_at(double n, time_point now) {
  advance(now);
  n = std::min(n, capacity());
  double const spare =
      model_ == refill::continuous ? std::clamp(capacity() - n, 0.0, 1 + rate() * seconds_of(guard)) : 0;
  double const missing = n + spare - level_;
  if (missing <= epsilon) return now;
  if (model_ == refill::window) {
    if (assumed_) {
      // Nothing went out since the reset: one request is let through as a probe, however large.
      if (taken_since_reset_ == 0) return now;
      if (probed_at_) return *probed_at_ + settings_.header_timeout;
    }
    if (reset_at_) {
      double const windows = std::ceil((n - std::max(0.0, level_)) / limit_) - 1;
      return *reset_at_ + settings_.reset_buffer +
             std::chrono::duration_cast<duration>(window_ * std::max(0.0, windows));
    }
  }
  return now + duration_of_seconds(missing / (rate() - drift_));
}

budget::mark budget::take(double n, time_point now) {
  advance(now);
  level_ -= n;
  taken_since_reset_ += n;
  if (assumed_ && !probed_at_) probed_at_ = now;
  return {.predicted = level_ - correction_, .epoch = epoch_};
}

void budget::give_back(const mark& m, double n, time_point now) {
  advance(now);
  if (m.epoch != epoch_) return;  // taken from a window that is over
  level_ = std::min(capacity(), level_ + n);
  taken_since_reset_ = std::max(0.0, taken_since_reset_ - n);
}

/// Takes the implied correction into account. Requests that overtook each other make single observations too high or
/// too low, so the lowest of the last `horizon` counts: a little wait rather than a refusal. A drop is believed at
/// once.
void budget::correct(double implied, unsigned horizon) {
  implied_[observations_ % history] = implied;
  ++observations_;
  auto const seen = std::min<std::size_t>({observations_, history, std::max(shortest_horizon, horizon)});
  double lowest = implied;
  for (std::size_t i = 1; i < seen; ++i) lowest = std::min(lowest, implied_[(observations_ - 1 - i) % history]);
  double const change = lowest - correction_;
  level_ = std::min(capacity(), level_ + change);
  correction_ = lowest;
  follow_drift(change);
}

/// Corrections that keep pointing down are somebody else who uses the same quota, or estimates that are too low: what
/// they come to per second is taken off the refill.
void budget::follow_drift(double change) {
  if (model_ != refill::continuous) return;
  if (observations_ > 1 && at_ > corrected_at_) {
    double const elapsed = seconds_of(at_ - corrected_at_);
    double const weight = 1 - std::exp(-elapsed / seconds_of(drift_memory));
    // A wrong estimate shows as a jump down and, when it is settled, one up: cut to what could be drift, they cancel
    // out.
    double const lost = std::clamp(-change / elapsed, -rate(), rate());
    drift_ = std::clamp(drift_ + weight * lost, 0.0, most_drift * rate());
  }
  corrected_at_ = at_;
}

/// Votes with hysteresis: three resets in a row that equal the time to full make a bucket of it, three that don't
/// unmake it.
void budget::vote(const limit_snapshot& s) {
  if (!s.remaining || !s.limit || *s.remaining >= *s.limit) return;
  double const to_full = static_cast<double>(*s.limit - *s.remaining) / rate();
  // Of a used-up window both are nearly its length, so only what rounding explains counts as equal.
  double const said = seconds_of(*s.reset);
  double const rounding = 1.5 / rate() + (said == std::floor(said) ? 1.0 : 0.02);
  bool const matches = std::abs(said - to_full) <= rounding;
  if (matches && continuous_votes_ < votes_needed) ++continuous_votes_;
  if (!matches && continuous_votes_ > 0) --continuous_votes_;
  if (continuous_votes_ == votes_needed) {
    model_ = refill::continuous;
    reset_at_.reset();
    assumed_ = false;
  } else if (continuous_votes_ == 0) {
    model_ = refill::window;
  }
}

void budget::observe_reset(const limit_snapshot& s, time_point sent, time_point now) {
  vote(s);
  if (model_ == refill::continuous) return;
  // The fields were made between sending and now, so the reset lies within [sent + reset, now + reset]: of several
  // headers about one reset the lowest upper end is nearest to it.
  auto const latest = now + *s.reset;
  auto const earliest = sent + *s.reset;
  bool const same = reset_at_ && *reset_at_ + std::chrono::seconds{1} >= earliest;
  reset_at_ = same ? std::min(*reset_at_, latest) : latest;
}

double budget::observe(const mark& m, double n, const limit_snapshot& s, time_point sent, time_point now,
                       unsigned overlap, bool charged) {
  advance(now);
  if (s.limit) limit_ = static_cast<double>(*s.limit);
  if (s.remaining) highest_ = static_cast<double>(*s.remaining);
  // A header from before the last reset says nothing about what came after it.
  if (m.epoch != epoch_ && m.epoch != 0) return 0;
  if (s.reset) observe_reset(s, sent, now);
  double residual = 0;
  if (s.remaining) {
    double const after = static_cast<double>(*s.remaining) - (charged ? 0 : n);
    // A header that nothing of ours can have overtaken is the truth, and so is the first fresh one after a reset.
    if (assumed_ || m.epoch == 0) observations_ = 0;
    assumed_ = false;
    double const implied = after - (m.epoch == 0 ? level_ - correction_ : m.predicted);
    residual = implied - correction_;
    correct(implied, overlap + 1);
  }
  reported_ = reported_ || s.limit || s.remaining;
  return residual;
}

void budget::refused(const mark& m, double n, unsigned attempt, std::optional<duration> retry_after, time_point now) {
  advance(now);
  if (m.epoch != epoch_) return;
  if (model_ == refill::window) {
    level_ = std::min(level_, -n);
    assumed_ = false;
    if (!reset_at_) reset_at_ = now + retry_after.value_or(window_ / 12);
  } else {
    double const missing = n * (attempt <= 1 ? 0.5 : 1.0);
    double const implied = -missing - m.predicted;
    if (implied < correction_) correct(implied, 1);
  }
  give_back(m, n, now);
}

}  // namespace cooldown
