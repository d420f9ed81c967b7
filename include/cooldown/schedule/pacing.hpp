// When a scope may send at all, whatever its limits: pauses that the provider asked for, our own backoff, one request
// at a time after refusals, spacing after bursts, and probes after a silence. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/limit/sliding_window.hpp"
#include "cooldown/schedule/constraint.hpp"
#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// So many refusals in a row may be explained by the learned model; after more, the provider's retry-after is obeyed.
constexpr unsigned trusted_rounds = 4;

/// When a request may be sent, and what it waits for until then.
struct readiness {
  time_point at;
  constraint by = constraint::none;  // none: now
  void wait_for(time_point until, constraint what) {
    if (until <= at) return;
    at = until;
    by = what;
  }
};

/// Refusals come in rounds: a refusal of an attempt that was sent before the last refusal arrived belongs to the same
/// round. A success of an attempt that was sent after a refusal ends the refusal's effects.
class pacing {
 public:
  /// The facts about an attempt that its refusal needs.
  struct attempt {
    time_point sent;
    bool probe = false;      // sent as a probe, although the model says that it does not fit
    std::uint64_t salt = 0;  // seed of the jitter: differs between attempts, but is reproducible
  };

  void on_release(time_point now);

  time_point last_release() const { return last_release_; }

  /// Undoes the release at `at`, which was not sent after all; `before` is the release before it.
  void not_sent(time_point at, time_point before, time_point now);

  /// A header or an answer was informative: the silence is over.
  void on_heard(time_point now) { last_heard_ = now; }

  void on_success(time_point sent);

  /// An answer has ended: its capacity at the provider is free.
  void on_end(time_point now);

  /// The attempt was refused for quota. Returns the number of refused rounds in a row; 0: an attempt sent later has
  /// succeeded.
  unsigned on_refusal(const attempt& refused, time_point now);

  /// The attempt was refused by a limit per second.
  void on_burst(const attempt& refused, std::optional<duration> told, time_point now);

  /// The attempt was refused for lack of capacity, for the `times`th time. Returns when it may be sent again by our own
  /// backoff; refused_until() applies as well. Others may be sent meanwhile, unless no request succeeds.
  time_point on_no_capacity(const attempt& refused, unsigned times, std::optional<duration> told, time_point now);

  /// The provider asked for a pause of `told` (nullopt: our own backoff), about a window of length `most`.
  void hold(std::optional<duration> told, duration most, time_point now);

  /// Drops the pause that a refusal asked for: something better is known.
  void forget_hold() { hold_until_ = {}; }

  /// Of refusals for quota, in a row.
  unsigned rounds() const { return rounds_; }

  /// When the next request may be sent. `unanswered`: a request is at the provider, and it is unknown whether it is
  /// admitted. `passed`: as if a request were sent now.
  readiness ready(bool unanswered, bool passed, time_point now) const;

  /// When the next probe is due, if nothing is sent or heard before: only a request can refute the model. The silence
  /// doubles with every refused probe, up to a day.
  time_point probe_at() const;

  /// When the scope may send again, one request at a time or more.
  time_point opens_at(time_point now) const;

  /// Minimum time between releases.
  duration spacing() const { return spacing_; }

  /// Until when requests that were refused for lack of capacity wait because the provider said so.
  time_point refused_until() const { return capacity_word_; }

  std::optional<time_point> hold_until(time_point now) const {
    return hold_until_ > now ? std::optional{hold_until_} : std::nullopt;
  }

  learned_pacing save(time_point now) const;
  /// Restores the state as of `saved`; invalid data is ignored.
  void restore(const learned_pacing& s, time_point saved);

 private:
  duration silence() const;
  void back_off(const attempt& refused, time_point now);
  void space_out(time_point sent, time_point now);
  bool nothing_gets_through() const;

  sliding_window second_{1e9, std::chrono::seconds{1}};  // releases within the last one
  time_point last_release_{};
  time_point last_heard_{};
  unsigned refused_probes_ = 0;  // in a row

  unsigned rounds_ = 0;            // of quota refusals since the last success
  time_point last_refusal_{};      // the first one of its round
  time_point backed_off_until_{};  // our own backoff; a shorter retry-after does not shorten it
  time_point hold_until_{};        // the pause that the provider asked for
  time_point hold_set_{};
  bool cautious_ = false;  // one request at a time until one is admitted

  unsigned capacity_rounds_ = 0;  // without a success
  time_point round_until_{};      // the end of the round
  time_point capacity_until_{};   // the same, or earlier if an answer has ended since
  time_point capacity_word_{};    // asked for by the provider

  duration spacing_{};  // between releases, after refused bursts
  time_point last_burst_{};
};

/// `step` · 2^(n − 1), n = 1, 2, …, at most 64 steps, plus up to a quarter depending on `salt`, so that several proxies
/// do not come back at the same time.
duration backoff(duration step, unsigned n, std::uint64_t salt);

}  // namespace cooldown
