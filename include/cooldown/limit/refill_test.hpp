// Asks whether a limit that is taken for a window is a bucket after all.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/time.hpp"

namespace cooldown {

/// Where nobody announces how a limit refills, a window is a guess, and one that silences its own refutation: while it
/// lets nothing go, no header shows that something has come back. Now and then one request goes when a bucket would
/// have had room for several like it. Refused, the next test waits twice as long.
class refill_test {
 public:
  /// What a bucket would have.
  struct bucket {
    double level;         // when a header showed it last
    time_point shown_at;  // then
    double limit;
    double rate;  // units a second
  };

  /// When a request of `n` may go as a test. nullopt: never, since the limit holds too few of them to tell.
  std::optional<time_point> due(double n, const bucket& b) const;

  /// The request with this sequence (1, 2, …) goes as a test. However it ends, the next one has to wait.
  void sent(std::uint64_t sequence, duration window, time_point now);
  bool is_under_way(std::uint64_t sequence) const { return under_way_ != 0 && under_way_ == sequence; }

  /// It has shown nothing against the guess: the next one waits twice as long.
  void refused(duration window, time_point now);
  /// What is kept over a restart: how many have been refused, and when the next one may go.
  unsigned refusals() const { return refusals_; }
  time_point not_before() const { return not_before_; }
  void restore(unsigned refusals, time_point not_before) {
    forget();
    refusals_ = refusals;
    not_before_ = not_before;
  }

  /// The guess has changed.
  void forget() { *this = {}; }

 private:
  std::uint64_t under_way_ = 0;
  unsigned refusals_ = 0;
  time_point not_before_{};
};

}  // namespace cooldown
