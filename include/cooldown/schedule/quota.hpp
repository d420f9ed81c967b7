// The quota of one scope (credential and model): a budget for each limit that headers show, static sliding windows for
// the others, pacing, and the provider's concurrency limit.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "cooldown/dialect/refusal.hpp"
#include "cooldown/limit/budget.hpp"
#include "cooldown/limit/reading_age.hpp"
#include "cooldown/limit/sliding_window.hpp"
#include "cooldown/schedule/concurrency.hpp"
#include "cooldown/schedule/constraint.hpp"
#include "cooldown/schedule/pacing.hpp"
#include "cooldown/schedule/run_ahead.hpp"
#include "cooldown/schedule/seen_charge.hpp"
#include "cooldown/schedule/token_cost.hpp"

namespace cooldown {

/// Configured limits, at most `most_limits`.
struct configured_limits {
  std::map<limit_id, double> limit;
  std::optional<double> of(limit_id id) const {
    auto const found = limit.find(id);
    return found == limit.end() ? std::nullopt : std::optional{found->second};
  }
};

struct quota_settings {
  bool use_headers = true;
  bool header_fallback = true;  // without headers, true: static windows decide; false: nothing holds requests back
  duration header_timeout = std::chrono::seconds{5};
  duration reset_buffer = std::chrono::milliseconds{100};
  double rpm_limit = 30;                // requests a minute, static or if no header reports that limit
  double tpm_limit = 60'000;            // tokens a minute, static
  configured_limits limits;             // further limits
  std::optional<refill> replenishment;  // how limits refill; nullopt: learned
};

/// What a request used, in tokens, if its answer said so.
struct usage {
  std::optional<double> total;
  std::optional<double> input;
  double cached = 0;  // part of the input
};

/// Hypothetical use, for forecasts and savings.
struct set_aside {
  double requests = 0;   // taken before
  token_cost tokens{0};  // the same
  double kept = 0;       // tokens that less urgent classes have saved, and that stay unspent
};

/// What decided a release: the provider's headers, or the configured limits.
enum class basis : std::uint8_t { headers, fallback };

/// The limit that binds, and what is left of it.
struct binding_limit {
  limit_id id;
  double limit;
  double level;
};

class cost_estimator;

class quota {
 public:
  /// Identifies a reservation; increases in the order of release.
  using reservation_id = std::uint64_t;

  quota(const quota_settings& settings, time_point now);

  void configure(const quota_settings& settings, time_point now);

  /// The wall clock minus the steady clock: windows without announced resets end at the wall clock's minutes, hours and
  /// days.
  void align(duration wall_offset);

  /// Earliest time at which a request of `cost` may be sent, `waited` after its submission. Rounded up: at that
  /// time it will fit, if nothing else happens.
  readiness ready(const token_cost& cost, duration waited, time_point now, const set_aside& aside = {});
  time_point ready_at(const token_cost& cost, duration waited, time_point now, const set_aside& aside = {}) {
    return ready(cost, waited, now, aside).at;
  }

  /// The limit that holds back a request of `cost` longest, or else the one with the lowest share left. nullopt: no
  /// limit is known.
  std::optional<binding_limit> binding(const token_cost& cost, time_point now);

  /// A copy for forecasts, including the answers in flight.
  run_ahead ahead(const cost_estimator& costs, time_point now);

  /// The token limit, if a header has shown it lately: a cost above it can never be admitted.
  std::optional<double> known_token_limit(time_point now) const;

  /// The usage reported for a request of `cost` tokens, capped: more than any window could have admitted is an error of
  /// whoever counted.
  double believable(double tokens, double cost, time_point now) const;

  /// When all limits will be full again if no request is sent; from then on the object is like a new one.
  time_point full_at(time_point now);

  /// Deducts one request of `cost` tokens, `input` of them for its input, from every budget and the sliding windows.
  /// `lasts`: expected duration of its answer; zero: unknown.
  reservation_id reserve(double cost, double input, time_point now, duration lasts = duration::zero());

  /// Observes the response head of a reservation; `snapshot` are its rate-limit headers, nullptr if it had none.
  /// Returns the tokens that the provider charged for it, if the remaining shows that.
  std::optional<seen_charge> observe(reservation_id id, const rate_limit_snapshot* snapshot, fate became,
                                     time_point now);

  /// Observes headers that belong to no reservation.
  void update(const rate_limit_snapshot& snapshot, time_point now);

  /// Discards what headers said of this limit: they were about another one.
  void forget(limit_id id, time_point now);

  /// Ends a reservation that the provider refused for quota. `snapshot`: the refusal's headers, already observed.
  void refused(reservation_id id, const refusal& why, const rate_limit_snapshot* snapshot, time_point now);

  /// Ends a reservation that the provider refused and that may never fit. This teaches nothing about the limits, but
  /// what follows waits as after any other refusal.
  void refused_for_size(reservation_id id, time_point now);

  /// Ends a reservation that the provider refused for lack of capacity, for the `times`th time. Returns when that
  /// request may be sent again by our own backoff; refused_until() applies as well.
  time_point refused_for_capacity(reservation_id id, unsigned times, std::optional<duration> told, time_point now);

  /// The provider has said how many requests it takes at once.
  void takes_at_once(std::size_t most, time_point now) { concurrency_.on_told(most, now); }

  /// Until when requests that were refused for lack of capacity wait because the provider said so.
  time_point refused_until() const { return pacing_.refused_until(); }

  /// How many requests the provider takes at once; nullopt: no limit is known.
  std::optional<std::size_t> concurrency_limit(time_point now) const { return concurrency_.limit(now); }

  /// The reservation's cost is known better now: `cost` tokens, `input` of them for its input.
  void revise(reservation_id id, double cost, double input, time_point now);

  /// Ends the reservation with its actual use; unknown parts stay charged until headers correct them.
  void settle(reservation_id id, const usage& used, time_point now);

  /// Ends the reservation as if it had not been released: the request never reached the provider.
  void cancel(reservation_id id, time_point now);

  /// Ends the reservation of a request that the provider rejected for good, and did not charge.
  void uncharged(reservation_id id, time_point now);

  learned_quota save(time_point now);
  /// Restores the state as of `saved`; to be called before anything is reserved. Invalid parts are ignored.
  void restore(const learned_quota& s, time_point saved);

  /// The provider has answered a request of this scope.
  bool answered() const { return answered_; }
  /// Refused more often in a row than the model explains, though nothing was admitted within the window of the limit of
  /// tokens a minute, which headers have shown.
  bool is_at_a_loss(time_point now);
  /// True if headers have shown that others use the same quota.
  bool is_shared() const;
  basis decides(time_point now) const;
  std::optional<time_point> last_update() const { return last_update_; }
  std::size_t in_flight() const { return reservations_.size(); }
  const budget* find(limit_id id) const;
  /// Refusals have shown what the limit is.
  bool is_measured(limit_id id) const {
    auto const* const b = find(id);
    return b != nullptr && b->is_measured();
  }
  const budget* find(resource r, window w) const { return find({r, w}); }
  /// The limits that are known, in order.
  std::vector<limit_id> limits() const;
  /// Number of entries kept: the requests in flight, and a bounded number.
  std::size_t entries() const;
  double level(resource r, window w, time_point now);

 private:
  struct reservation {
    token_cost cost{0};
    duration lasts{};  // its answer, as is expected; zero: nothing is known
    time_point taken;
    time_point before;      // the release before it
    unsigned crowd = 0;     // others released within `reordering` before it
    std::size_t among = 0;  // in flight at its release, itself included
    bool answered = false;
    bool presumed = false;                          // admitted, by its silence
    bool measurable = false;                        // its header will show its charge
    bool probe = false;                             // sent after a long silence, whatever we believed
    std::array<budget::mark, most_limits> marks{};  // by slot
  };

  double amount(std::size_t slot, const token_cost& cost) const { return cost.of(ids_[slot].counts); }
  bool counts_all_tokens(std::size_t slot) const {
    return ids_[slot].counts == resource::tokens || ids_[slot].counts == resource::total_tokens;
  }
  bool counts_requests(std::size_t slot) const { return ids_[slot].counts == resource::requests; }
  static constexpr std::size_t rpm_slot = 0;
  static constexpr std::size_t tpm_slot = 1;
  using entry = std::map<reservation_id, reservation>::iterator;
  double saved_in(std::size_t slot, double n, double kept) const;
  readiness static_ready(const token_cost& cost, duration waited, time_point now, const set_aside& aside);
  void await_answers(run_ahead& r, const cost_estimator& costs, time_point now) const;
  bool shows_shorter(resource counted, time_point now) const;
  bool counts(std::size_t slot, bool dynamic, time_point now) const;
  time_point unproven_ready_at(time_point now);
  time_point slot_ready_at(double passed, time_point now) const;
  rate_limit_snapshot split_buckets(rate_limit_snapshot s, time_point now);
  bool shows(const rate_limit_snapshot& s, limit_id id) const;
  std::size_t find_slot(limit_id id) const;
  std::size_t slot_for(limit_id id);
  budget& make_budget(std::size_t slot, double limit, refill model, time_point now);
  void restore_limit(const learned_limit& s, time_point saved);
  void create(std::size_t slot, entry answered, const limit_snapshot& s);
  void create_configured(time_point now);
  void create_hidden(std::size_t slot, std::optional<std::uint64_t> told, reservation& refused);
  std::optional<double> likely_limit(std::size_t slot) const;
  std::optional<limit_id> culprit_of(const reservation& r, const refusal& why, bool informed, time_point now);
  bool fits_what_is_shown(const token_cost& cost, time_point now);
  static bool is_worth_a_pause(const refusal& why, duration length);
  void presume_admitted(time_point now);
  void told(const rate_limit_snapshot& snapshot, time_point now);
  bool is_copy(const reservation& r, const rate_limit_snapshot& s);
  void admitted(const reservation& r, const rate_limit_snapshot* snapshot, time_point now);
  bool refused_by_quota(reservation& r, const refusal& why, const rate_limit_snapshot* snapshot, unsigned attempt,
                        time_point now);
  double undecided(std::size_t slot, time_point now) const;
  bool measurable(time_point now);
  unsigned overlap_of(entry e) const;
  void untake(const reservation& r, time_point now, std::size_t but = most_limits);
  void end(entry e);
  budget_settings budget_options() const;

  quota_settings settings_;
  // By slot: requests a minute, tokens a minute, and others in the order in which they were met.
  std::vector<limit_id> ids_{{resource::requests, window::minute}, {resource::tokens, window::minute}};
  std::vector<std::optional<budget>> budgets_{2};
  sliding_window requests_;
  sliding_window tokens_;
  sliding_window crowd_;  // releases within `reordering`
  pacing pacing_;
  concurrency concurrency_;
  time_point careful_until_{};  // inputs are not taken for charged at admission
  double proven_requests_ = 0;  // the most that were admitted within a minute
  struct total_bucket {
    double factor = 0;      // ratio to the main limit; 0: none seen
    double last_share = 0;  // the last remaining under the main limit's name, of that limit
    time_point proven_at{};
  };
  std::array<total_bucket, 3> totals_;  // of minute, hour and day
  bool is_split(window over) const;
  reading_age reading_age_;
  duration wall_offset_{};
  std::map<reservation_id, reservation> reservations_;  // ordered by release
  reservation_id next_id_ = 1;
  std::size_t unanswered_ = 0;
  double reserved_ = 0;  // tokens of all reservations
  std::optional<time_point> last_update_;
  bool answered_ = false;    // the provider has admitted something: the start is over
  time_point last_probe_{};  // at a cold start: the last release beyond the static limits
};

}  // namespace cooldown
