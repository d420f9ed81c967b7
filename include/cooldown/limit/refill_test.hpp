// Tests whether a limit that is modelled as a window is a bucket.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// Without announced resets, a window is a guess that suppresses its own refutation: nothing is sent before its end, so
/// no header shows what has come back. Now and then one request is sent when a bucket would have room for several like
/// it. If it is refused, the next test waits twice as long.
class refill_test {
 public:
  /// The hypothetical bucket.
  struct bucket {
    double level;         // as last shown by a header
    time_point shown_at;  // when that was
    double limit;
    double rate;  // units a second
  };

  /// When a request of `n` units may be sent as a test. nullopt: never, because the limit is too small for a clear
  /// result.
  std::optional<time_point> due(double n, const bucket& b) const;

  /// The part of the time left that a test waits beyond being due. It differs from test to test, so that they do not
  /// always meet others who come at the same second of every minute.
  double delay() const;

  /// The request with this sequence (1, 2, …) is sent as a test. However it ends, the next test has to wait.
  /// `decisive`: a remaining beyond it shows refill.
  void sent(std::uint64_t sequence, double decisive, duration window, time_point now);
  double decisive() const { return decisive_; }
  bool is_under_way(std::uint64_t sequence) const { return under_way_ != 0 && under_way_ == sequence; }

  /// The test did not refute the window: the next one waits twice as long.
  void refused(duration window, time_point now);
  /// For saving: how many tests were refused, and when the next one may be sent.
  unsigned refusals() const { return refusals_; }
  time_point not_before() const { return not_before_; }
  void restore(unsigned refusals, time_point not_before) {
    forget();
    refusals_ = refusals;
    not_before_ = not_before;
  }

  /// The model has changed.
  void forget() { *this = {}; }

 private:
  std::uint64_t under_way_ = 0;
  double decisive_ = 0;
  unsigned refusals_ = 0;
  time_point not_before_{};
};

}  // namespace cooldown
