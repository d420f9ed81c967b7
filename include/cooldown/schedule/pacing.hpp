// When a scope may send at all, whatever its limits say: pauses that the provider asked for, our own backoff, one at a
// time after refusals, bursts spaced out, and the probe that asks whether all that still holds. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "cooldown/limit/sliding_window.hpp"
#include "cooldown/schedule/constraint.hpp"
#include "cooldown/schedule/learned_state.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Snapshots older than this decide nothing any more, and after so long a silence a probe is due.
constexpr duration snapshot_lifetime = std::chrono::minutes{5};

/// Refusals in a row that the learned model may explain; beyond, the provider's retry-after is obeyed.
constexpr unsigned trusted_rounds = 4;

/// When something may go, and what holds it back until then.
struct readiness {
  time_point at;
  constraint by = constraint::none;  // none: it may go now
  void wait_for(time_point until, constraint what) {
    if (until <= at) return;
    at = until;
    by = what;
  }
};

/// Refusals come in rounds: what was sent before a refusal was heard of, and is refused as well, adds nothing to it. A
/// success of something that was sent after a refusal ends what the refusal has brought.
class pacing {
 public:
  /// An attempt, as its refusal needs it.
  struct attempt {
    time_point sent;
    bool probe = false;      // it was sent to ask, against what was believed
    std::uint64_t salt = 0;  // for jitter: differs between attempts, and can be repeated
  };

  void on_release(time_point now);

  time_point last_release() const { return last_release_; }

  /// What was released at `at`, and before it something at `before`, was not sent after all.
  void not_sent(time_point at, time_point before, time_point now);

  /// A header or an answer told something: the silence is over.
  void on_heard(time_point now) { last_heard_ = now; }

  void on_success(time_point sent);

  /// An answer is over: what it took up at the provider is free.
  void on_end(time_point now);

  /// A quota refused it. Returns how many rounds in a row ended so; 0: a success has come since it was sent.
  unsigned on_refusal(const attempt& refused, time_point now);

  /// A limit per second refused it.
  void on_burst(const attempt& refused, std::optional<duration> told, time_point now);

  /// The provider had no capacity for it, for the `times`th time. Returns when it may be tried again, as far as our own
  /// backoff goes; refused_until() holds as well. Others may go meanwhile, unless nothing gets through.
  time_point on_no_capacity(const attempt& refused, unsigned times, std::optional<duration> told, time_point now);

  /// The provider asked for a pause of `told` (absent: our own backoff), which is about a window of `most`.
  void hold(std::optional<duration> told, duration most, time_point now);

  /// What a refusal asked for is superseded: something better is known.
  void forget_hold() { hold_until_ = {}; }

  /// `unanswered`: something is at the provider of which nobody knows whether it is admitted. `passed`: asked as if
  /// something went now.
  readiness ready(bool unanswered, bool passed, time_point now) const;

  /// When the next probe is due, if nothing is sent or heard before: whatever we believe, only a request can refute it.
  /// The silence doubles with every probe that is refused, up to a day.
  time_point probe_at() const;

  /// When the scope is open again, one at a time or not.
  time_point opens_at(time_point now) const;

  /// How far releases are spaced out.
  duration spacing() const { return spacing_; }

  /// Until when those wait that were refused for want of capacity, by the provider's word.
  time_point refused_until() const { return capacity_word_; }

  std::optional<time_point> hold_until(time_point now) const {
    return hold_until_ > now ? std::optional{hold_until_} : std::nullopt;
  }

  learned_pacing save(time_point now) const;
  /// As it was at `saved`; what makes no sense is ignored.
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

  unsigned rounds_ = 0;            // of quota refusals, since one was admitted
  time_point last_refusal_{};      // the first of its round
  time_point backed_off_until_{};  // our own, which no word of the provider's makes shorter
  time_point hold_until_{};        // the provider's word
  time_point hold_set_{};
  bool cautious_ = false;  // one at a time until one is admitted

  unsigned capacity_rounds_ = 0;  // without a success
  time_point round_until_{};      // the end of the round
  time_point capacity_until_{};   // the same, or earlier if an answer has ended since
  time_point capacity_word_{};    // the provider's

  duration spacing_{};  // between releases, after refusals for bursts
  time_point last_burst_{};
};

/// `step` · 2^(n − 1), n = 1, 2, …, up to 64 steps, and up to a quarter more by `salt`, so that several proxies do not
/// come back together.
duration backoff(duration step, unsigned n, std::uint64_t salt);

}  // namespace cooldown
