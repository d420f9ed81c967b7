// How many requests of a scope the provider takes at once, learned from what it refuses for want of capacity. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// No limit is known until refusals depend on how many requests are in flight: those with more beside them refused,
/// those with fewer admitted, beyond chance (a likelihood ratio over the latest outcomes). Refusals that have nothing
/// to do with that are bad luck, and teach nothing.
///
/// A limit is tried upwards, by one and then by twice as many, whenever it has been used to the full for a while; a
/// step that is refused is taken back, and the next one comes later. Ten minutes without a refusal forget it.
class concurrency {
 public:
  /// A request goes, as one of `among` in flight, itself included.
  void on_release(std::size_t among);

  /// An attempt that was sent at `sent`, as one of `among`, was admitted; once for each.
  void on_success(std::size_t among, time_point sent, time_point now);

  /// … was refused for want of capacity.
  void on_refusal(std::size_t among, time_point sent, time_point now);

  /// What has been at the provider for so long without a refusal was admitted. Refusals come at once, answers may take
  /// minutes: without this, what was refused would be compared with what was sent much earlier.
  duration quiet_time() const;

  /// An answer is over, `took` after its request was sent.
  void on_end(duration took);

  /// How long answers last, on the average; zero: none has ended yet.
  duration answer_time() const { return answer_time_; }

  /// The most that may be in flight; nullopt: as many as like.
  std::optional<std::size_t> limit(time_point now) const;

  /// When a request may go, with `in_flight` at the provider and `ahead` before it, if answers take as long as they
  /// did.
  time_point forecast(std::size_t in_flight, double ahead, time_point now) const;

  learned_concurrency save(time_point now) const;
  /// As it was at `saved`; what makes no sense is ignored.
  void restore(const learned_concurrency& s, time_point saved);

 private:
  struct outcome {
    std::size_t among;
    bool refused;
  };

  static std::ptrdiff_t count_refused(const std::vector<outcome>& of);
  void record(outcome o, time_point now);
  void make_room();
  std::optional<std::size_t> limit_by_outcomes() const;
  void lower_to(std::size_t limit, time_point now);
  void try_more(time_point now);
  bool by_luck(std::size_t refused, std::size_t sent, double evidence) const;
  bool forgotten(time_point now) const;

  std::vector<outcome> outcomes_;  // the latest
  time_point recorded_at_{};
  std::size_t refused_in_a_row_ = 0;
  std::size_t least_refused_ = 0;  // the fewest in flight at one of these
  std::size_t limit_ = 0;          // 0: none is known
  std::size_t proven_ = 0;         // below limit_ while more is tried
  std::size_t step_ = 1;
  unsigned failed_steps_ = 0;  // in a row
  std::size_t tried_ = 0;      // sent beyond proven_ since more is tried
  std::size_t refused_ = 0;    // of these
  double luck_ = 0;            // the share refused within the limit
  double full_ = 0;            // successes at the limit since it was changed
  time_point changed_at_{};
  time_point refused_at_{};
  duration answer_time_{};  // slow averages
  duration refusal_time_{};
};

}  // namespace cooldown
