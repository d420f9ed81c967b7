// What an exchange does next: every rule about queueing, the breaker, retries, 429s, shutdown and disconnects in one
// place (docs/decisions/007). Pure: events come in, steps go out; net/exchange performs them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cooldown/exchange/outcome.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// The facts about the request and the configuration that the rules need. Constant during the exchange.
struct exchange_facts {
  bool metered = false;          // a completion or an embedding: waits for quota, and may be retried
  std::string_view method;       // unmetered requests are retried only if idempotent; must outlive the plan
  std::string_view path{};       // of the target; must outlive the plan
  unsigned retries = 0;          // retries that the configuration allows
  bool breaker_enabled = false;  // a failing provider is not called for a while
  time_point wait_until;         // latest time to wait for quota and provider
};

/// How one attempt ended, before any part of its answer went to the client.
struct attempt_end {
  enum class what : std::uint8_t {
    answered,       // with a complete response head of `status`
    not_for_it,     // the client's own key is meant for another provider
    superseded,     // by a reload that changed the provider or its key, before anything was sent
    no_connection,  // nothing was sent
    broken,         // the connection ended before a complete head
    unacceptable,   // not valid HTTP
    timeout,        // no head within first_byte
    interrupted,    // the client has disconnected
  } kind = what::broken;
  unsigned status = 0;                    // of the answer; 0: no answer
  std::optional<duration> retry_after{};  // of the answer
  bool certificate = false;               // the certificate was not accepted
  bool sent = false;                      // some of the request may have reached the provider
  bool stale = false;                     // a kept connection ended before the first byte of an answer
  duration rested{};                      // how long that connection had been idle
  bool local = false;                     // an error of this machine
  bool serves_without_v1 = false;         // the provider has answered a path without /v1 with 2xx
  bool key_refused = false;               // 401 or 402 for a key of ours
  bool elsewhere = false;                 // another destination may serve the request

  /// False if it was answered, or nothing was tried.
  bool failed() const {
    return kind != what::answered && kind != what::interrupted && kind != what::not_for_it && kind != what::superseded;
  }
};

/// The name in metrics: "connect", "broken", "protocol", "timeout"; for an answer "status".
const char* name_of(attempt_end::what kind);

/// What an attempt says about the provider's health.
enum class verdict_on_provider : std::uint8_t { none, well, failing };

/// What to do next. After `reject`, `relay` and `hang_up` the exchange is over.
struct exchange_step {
  enum class what : std::uint8_t {
    submit,            // submit the ticket to the limiter
    renew,             // have the ticket released again: its release is too old
    wait_for_quota,    // until the ticket is released or rejected
    wait_for_breaker,  // until an attempt is allowed, at most until facts.wait_until
    attempt,           // connect, send, read the answer's head
    move,              // submit the request at another destination, because this one does not serve it
    pause,             // for `pause`
    ask_about_429,     // let the limiter classify the 429
    relay,             // pass the answer on
    reject,            // answer with `why`
    hang_up,           // close: the client has disconnected
  } next = what::hang_up;
  bool fresh = false;        // attempt: on a new connection
  bool in_progress = false;  // wait_for_quota: it was released before, so a shutdown does not end the wait
  bool repeat = false;       // pause: the next attempt counts as a retry
  duration pause{};
  reason why = reason::internal_error;
  std::optional<duration> retry_after{};  // of a rejection
  std::string_view explanation{};         // of a rejection; empty: nothing to add to `why`
  bool uncharged = false;                 // reject, move: the provider has rejected the request, which costs nothing
  bool unsent = false;  // renew, move, reject, hang_up: nothing has reached the provider since the last release
  verdict_on_provider verdict = verdict_on_provider::none;  // for the breaker, if it allowed an attempt
};

class exchange_plan {
 public:
  explicit exchange_plan(const exchange_facts& facts) : facts_(facts) {}

  /// `breaker_admits`: an attempt would be allowed now; otherwise after `breaker_opens_in`.
  exchange_step begin(bool breaker_admits, duration breaker_opens_in, time_point now);

  /// The ticket is released: at once, after waiting, or again.
  exchange_step released(time_point now);
  /// The ticket waits (again).
  exchange_step queued();

  /// The wait for quota, for the breaker or for a pause was interrupted.
  exchange_step client_left() const;
  exchange_step draining() const;

  /// It goes to another destination, whose settings apply from now on.
  void goes_to(unsigned retries, bool breaker_enabled) {
    facts_.retries = retries;
    facts_.breaker_enabled = breaker_enabled;
  }
  /// The request leaves its destination, which does not serve it (any more).
  exchange_step leaves(bool uncharged);

  exchange_step allowed(bool trial, time_point now);
  /// The breaker has not allowed an attempt in time.
  exchange_step breaker_stayed_open(duration opens_in) const;

  exchange_step ended(const attempt_end& end, time_point now);
  exchange_step paused(time_point now);

  /// The limiter has classified a 429: it goes to the client unchanged if `whole`, that is, if it arrived completely.
  static exchange_step pass_429(bool whole, std::optional<duration> retry_after);

  unsigned repeats() const { return repeats_; }

 private:
  exchange_step next_attempt(time_point now);
  exchange_step failed(const attempt_end& end, time_point now);
  exchange_step refused_with_404(const attempt_end& end) const;
  exchange_step repeat_or(const exchange_step& last, const attempt_end& end);
  exchange_step rejection(reason why, std::optional<duration> retry_after) const;
  verdict_on_provider judge(const attempt_end& end) const;
  bool may_move(const attempt_end& end) const;

  exchange_facts facts_;
  unsigned repeats_ = 0;
  bool sent_by_release_ = false;           // since the last release
  bool fresh_ = false;                     // make the next attempt on a new connection
  bool renewing_ = false;                  // it was released before, and continues as soon as it is released again
  bool trial_ = false;                     // the attempt is a trial of the breaker
  bool has_waited_ = false;                // for quota or for the breaker
  time_point asked_at_{};                  // when the breaker was asked for permission
  std::optional<time_point> released_at_;  // the last release
};

}  // namespace cooldown
