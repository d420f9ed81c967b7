// One limit of a scope, as far as it can be known from outside: how much is left now, and when n will fit.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cooldown/core/rate_limit_headers.hpp"
#include "cooldown/core/time.hpp"

namespace cooldown {

struct budget_settings {
  duration reset_buffer = std::chrono::milliseconds{100};  // added to every announced reset
  duration header_timeout = std::chrono::seconds{5};       // how long probes after a reset wait for a fresh header
};

/// How a limit refills.
enum class refill : std::uint8_t {
  continuous,  // limit / window, all the time, up to the limit
  window,      // everything at once, at the announced reset
};

const char* name_of(refill r);

/// A model of one provider-side limit. Its level is dead-reckoned: reservations taken, refunds given, refill added. A
/// header is about the past, so it is not compared with the level now but with what the model said right after the
/// request that it answers (`mark`); the difference corrects the level. So everything released, refunded or refilled
/// since is accounted for by itself, in whatever order responses arrive.
class budget {
 public:
  /// What a reservation keeps of this budget, to read the header that will answer it.
  struct mark {
    double predicted = 0;     // the level right after taking, free of corrections
    std::uint32_t epoch = 0;  // 0: taken before the budget was known
  };

  /// Full at `now`; refills as `model` until evidence speaks against it.
  budget(double limit, duration window, refill model, time_point now, const budget_settings& settings);

  void configure(const budget_settings& settings) { settings_ = settings; }

  double limit() const { return limit_; }
  double drift() const { return drift_; }
  /// The most that can be there at once: the limit, or a remaining beyond it.
  double capacity() const { return limit_ > highest_ ? limit_ : highest_; }
  refill model() const { return model_; }
  /// True once a header has spoken of this budget; until then it is what the configuration says.
  bool reported() const { return reported_; }

  /// Units left as far as we know, reservations in flight deducted; may be negative after a correction.
  double level(time_point now);

  /// When everything is there again, if that is announced.
  std::optional<time_point> next_reset() const { return reset_at_; }

  /// Earliest time at which `n` fit if nobody else takes any; an `n` above the limit fits when all of it is there.
  time_point ready_at(double n, time_point now);

  mark take(double n, time_point now);

  /// The mark of a request that went out before the budget was known: `later` is what was taken after it, up to now.
  mark mark_before(double later) const { return {.predicted = level_ + later - correction_, .epoch = epoch_}; }

  /// Returns `n` of what `m` took. Nothing happens when a reset has passed since: the window that it was taken from is
  /// over.
  void give_back(const mark& m, double n, time_point now);

  /// A response to a request that took `m` at `sent` says `s`. `overlap` is how many other requests the provider may
  /// have met in another order than we sent them; `charged` is false on a refusal, which leaves the remaining as it
  /// was; `n` is what was taken. Returns by how much the remaining differs from what the model said: positive, more is
  /// there.
  double observe(const mark& m, double n, const limit_snapshot& s, time_point sent, time_point now, unsigned overlap,
                 bool charged);

  /// A request that took `m` of `n` was refused without a word of what is left: it was less than `n`. The `attempt`th
  /// refusal in a row (1, 2, …) assumes half, then all of `n` missing. `retry_after` is used where no
  /// better plan exists. The reservation is given back.
  void refused(const mark& m, double n, unsigned attempt, std::optional<duration> retry_after, time_point now);

  /// The configured limit changed, or evidence says it is lower.
  void set_limit(double limit);

 private:
  void advance(time_point now);
  void roll(time_point now);
  void correct(double implied, unsigned horizon);
  void follow_drift(double change);
  void observe_reset(const limit_snapshot& s, time_point sent, time_point now);
  void vote(const limit_snapshot& s);
  double rate() const { return limit_ / seconds_of(window_); }  // units per second

  budget_settings settings_;
  double limit_;
  duration window_;
  time_point at_;  // the moment level_ is of
  double level_;
  double highest_ = 0;  // a remaining above the limit: two buckets behind one name
  bool reported_ = false;
  refill model_;

  // corrections: each observation implies one; the lowest of those that reordering could explain holds
  static constexpr std::size_t history = 16;
  std::array<double, history> implied_{};
  std::size_t observations_ = 0;
  double correction_ = 0;
  double drift_ = 0;  // units per second that go missing: other users of the quota
  time_point corrected_at_{};
  std::uint32_t epoch_ = 1;  // counts resets: a header from before one says nothing about after it

  // window model
  std::optional<time_point> reset_at_;   // announced, not yet passed
  bool assumed_ = false;                 // after a reset, until a fresh header: a tenth of the limit is assumed
  std::optional<time_point> probed_at_;  // first release after the reset
  double taken_since_reset_ = 0;
  unsigned continuous_votes_ = 0;  // 0 to 3: how firmly resets equal the time to full
};

}  // namespace cooldown
