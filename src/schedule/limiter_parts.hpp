// What the limiter stores about scopes and tickets; private, so not among the public headers.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cooldown/dialect/provider_clock.hpp"
#include "cooldown/dialect/unnamed_window.hpp"
#include "cooldown/schedule/cerebras_limiter.hpp"
#include "cooldown/schedule/forecast_error.hpp"

namespace cooldown {

struct cerebras_limiter::scope {
  scope(std::string_view model_name, std::uint64_t hash, const quota_settings& settings, time_point now)
      : model(model_name), credential(hash), limits(settings, now), last_used(now) {}

  bool waits() const { return !queue.empty() || !deferred.empty(); }

  std::string model;
  std::uint64_t credential;
  quota limits;
  cost_estimator costs;
  provider_clock clock;
  cooldown::dialect speaks = cooldown::dialect::automatic;  // whose windows those without a name have
  unnamed_window requests_over, tokens_over;
  request_queue queue;
  std::vector<request_queue::head> heads;               // reused
  std::set<std::pair<time_point, ticket_id>> deferred;  // by the time of their next attempt
  std::size_t tickets = 0;                              // number of tickets in any state
  std::set<ticket_id> released;                         // tickets in flight
  time_point looked_at{};                               // time at which it was entered in the agenda
  std::optional<time_point> due;                        // as entered there
  std::optional<request_queue::head> goes;
  /// The forecast at the point where the front of the queue has been sent, made at `made`.
  struct front_part {
    time_point made;
    double requests;  // released by then, since the start
    double tokens;    // reserved for them
    double used_part;
    double input_part;
    run_ahead then;
  };
  forecast_error errors;
  std::optional<front_part> front;       // for forecasts of the tickets behind the front
  std::optional<time_point> idle_since;  // as entered among the idle
  bool paused = false;
  bool succeeded = false;  // at any time
  scope_totals totals;
  time_point last_used;
  time_point last_refusal{};  // the last refusal for tokens
  bool priced = true;         // waiting tickets have the latest cost estimates
  std::size_t answers = 0;    // answers since the waiting tickets were last estimated
};

/// Scopes with waiting tickets, indexed so that an event touches only the scopes that it is about or that are due.
struct cerebras_limiter::agenda {
  using by_rank = std::tuple<std::size_t, std::uint64_t, scope*>;
  using by_age = std::tuple<time_point, std::uint64_t, scope*>;

  std::set<scope*> changed;                     // their entries below may be outdated
  std::set<std::pair<time_point, scope*>> due;  // by the time at which they are due
  std::set<by_rank> ready;        // with a ticket that may be released: the most urgent class first, then the oldest
  std::set<by_age> ready_by_age;  // the same: the longest without a release first

  static by_rank rank_of(scope& s) { return {s.goes->rank, s.goes->arrival, &s}; }
  static by_age age_of(scope& s) { return {s.goes->waits_since, s.goes->arrival, &s}; }

  void enter(scope& s, const request_queue::head* goes, std::optional<time_point> when);
  void remove(scope& s);
};

struct cerebras_limiter::ticket {
  scope* owner = nullptr;
  request_size size;
  double cost = 0;
  double input = 0;    // the input's part of the cost
  double charged = 0;  // to its client's fair share, while it is released
  std::size_t bytes = 0;
  bool unread = false;
  bool unweighed = false;
  bool teaches_costs() const { return !unread && !unweighed; }
  time_point submitted;
  time_point deadline;
  time_point released;
  std::optional<time_point> expected;  // the forecast of its release, made at submission
  queue_place place;
  std::uint64_t body_hash = 0;
  /// Deferred: it waits outside the queue, until `not_before`.
  enum class state { waiting, deferred, released } where = state::waiting;
  bool waited = false;   // at any time
  bool crowded = false;  // it gives its slot to a client that has fewer
  bool renewed = false;  // its next release has already been counted
  /// Why it may fit although its estimate exceeds the whole limit: the provider may charge less than the maximum, or
  /// the input may have fewer tokens than estimated. It is sent once; a refusal is final.
  enum class doubt : std::uint8_t { none, maximum, input } too_large = doubt::none;
  unsigned capacity_refusals = 0;
  time_point not_before{};
  quota::reservation_id reservation = 0;
};

}  // namespace cooldown
