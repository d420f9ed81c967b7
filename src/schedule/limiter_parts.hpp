// What the limiter keeps of a scope and of a ticket: its own business, so not among the public headers.
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
  unnamed_window requests_over, tokens_over;
  request_queue queue;
  std::vector<request_queue::head> heads;               // reused
  std::set<std::pair<time_point, ticket_id>> deferred;  // by when they may be tried again
  std::size_t tickets = 0;                              // in any state
  std::set<ticket_id> released;                         // of these, those in flight
  time_point looked_at{};                               // when it was entered in the agenda
  std::optional<time_point> due;                        // as entered there
  std::optional<request_queue::head> goes;
  /// Those at the front have gone, by a plan that was made at `made`.
  struct front_part {
    time_point made;
    double requests;  // that have gone by then, since ever
    double tokens;    // reserved for them
    double used_part;
    run_ahead then;
  };
  forecast_error errors;
  std::optional<front_part> front;       // for what is told of those behind
  std::optional<time_point> idle_since;  // as entered among the idle
  bool paused = false;
  bool succeeded = false;  // at any time
  scope_totals totals;
  time_point last_used;
  time_point last_refusal{};  // for tokens
  bool priced = true;         // what waits costs what is known of costs
  std::size_t answers = 0;    // since the queue was priced
};

/// Scopes in which somebody waits, so that an event touches only those that it is about or that are due.
struct cerebras_limiter::agenda {
  using by_rank = std::tuple<std::size_t, std::uint64_t, scope*>;
  using by_age = std::tuple<time_point, std::uint64_t, scope*>;

  std::set<scope*> changed;                     // what stands of them elsewhere here may not hold any more
  std::set<std::pair<time_point, scope*>> due;  // by when they have to be looked at
  std::set<by_rank> ready;                      // one of theirs may go: the most urgent class first, then the oldest
  std::set<by_age> ready_by_age;                // the same: the longest without a release first

  static by_rank rank_of(scope& s) { return {s.goes->rank, s.goes->arrival, &s}; }
  static by_age age_of(scope& s) { return {s.goes->waits_since, s.goes->arrival, &s}; }

  void enter(scope& s, const request_queue::head* goes, std::optional<time_point> when);
  void remove(scope& s);
};

struct cerebras_limiter::ticket {
  scope* owner = nullptr;
  request_size size;
  double cost = 0;
  double input = 0;    // the part of it that the input is taken for
  double charged = 0;  // to its client's fair share, while it is released
  std::size_t bytes = 0;
  bool unread = false;
  time_point submitted;
  time_point deadline;
  time_point released;
  std::optional<time_point> expected;  // to be released then, as was told at its submission
  queue_place place;
  std::uint64_t body_hash = 0;
  /// Deferred: it waits outside the queue, until `not_before`.
  enum class state { waiting, deferred, released } where = state::waiting;
  bool waited = false;   // at any time
  bool crowded = false;  // it gives its place to a client that has fewer
  bool renewed = false;  // its next release is counted already
  /// Why it may fit although its estimate is above the whole limit: the provider may charge less than the maximum, or
  /// its input may have fewer tokens than guessed. The provider is asked once; its refusal is final.
  enum class doubt : std::uint8_t { none, maximum, input } too_large = doubt::none;
  unsigned capacity_refusals = 0;
  time_point not_before{};
  quota::reservation_id reservation = 0;
};

}  // namespace cooldown
