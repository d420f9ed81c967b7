// How many requests of a scope the provider takes at once, learned from its refusals for lack of capacity. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// No limit is known until refusals depend on the number of requests in flight: with more in flight refused, with fewer
/// admitted, beyond chance (a likelihood ratio over the latest outcomes). Other refusals are chance, and teach nothing.
///
/// A limit is raised, by one and then by twice as many, whenever it has been fully used for a while; a step that is
/// refused is taken back, and the next one comes later. Ten minutes without a refusal clear the limit.
class concurrency {
 public:
  /// A request is sent, as one of `among` in flight, itself included.
  void on_release(std::size_t among);

  /// An attempt sent at `sent`, as one of `among`, was admitted. To be called once per attempt.
  void on_success(std::size_t among, time_point sent, time_point now);

  /// The same, for an attempt that was refused for lack of capacity.
  void on_refusal(std::size_t among, time_point sent, time_point now);

  /// The provider has said how many it takes at once. Its word holds as long as one that many steps have proven.
  void on_told(std::size_t limit, time_point now);

  /// A request that has been at the provider for this long without a refusal counts as admitted. Refusals come at once,
  /// answers may take minutes: otherwise refusals would be compared with answers to requests that were sent much
  /// earlier.
  duration quiet_time() const;

  /// An answer has ended, `took` after its request was sent.
  void on_end(duration took);

  /// The average duration of answers; zero: none has ended yet.
  duration answer_time() const { return answer_time_; }

  /// The most requests that may be in flight; nullopt: no limit.
  std::optional<std::size_t> limit(time_point now) const;

  /// When a request may be sent, with `in_flight` requests at the provider and `ahead` before it, if answers take as
  /// long as before.
  time_point forecast(std::size_t in_flight, double ahead, time_point now) const;

  learned_concurrency save(time_point now) const;
  /// Restores the state as of `saved`; invalid data is ignored.
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
  std::size_t least_refused_ = 0;  // the fewest requests in flight at one of these refusals
  std::size_t limit_ = 0;          // 0: none is known
  std::size_t proven_ = 0;         // the last limit that held; below limit_ while more is tried
  std::size_t step_ = 1;
  unsigned failed_steps_ = 0;  // in a row
  std::size_t tried_ = 0;      // requests sent beyond proven_
  std::size_t refused_ = 0;    // of these, refused
  double luck_ = 0;            // share of requests refused within the limit
  double full_ = 0;            // successes at the limit since it was last changed
  time_point changed_at_{};
  time_point refused_at_{};
  duration answer_time_{};  // slow averages
  duration refusal_time_{};
};

}  // namespace cooldown
