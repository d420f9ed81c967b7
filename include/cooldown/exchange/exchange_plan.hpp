// What an exchange does next: every rule about queueing, the breaker, repeats, 429s, shutdown and departed clients in
// one place (docs/decisions/007). Pure: events come in, steps go out; net/exchange performs them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cooldown/exchange/outcome.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// What the rules need to know of a request and of the configuration. Fixed for the exchange.
struct exchange_facts {
  bool metered = false;          // a completion or an embedding: queues for quota, and may be repeated
  std::string_view method;       // of the others, only idempotent ones may; must outlive the plan
  unsigned retries = 0;          // repeats that the configuration allows
  bool breaker_enabled = false;  // a failing provider is left alone after a while
  time_point wait_until;         // the client and the configuration wait for quota and provider until then
};

/// How one attempt ended, before anything of its answer went to the client.
struct attempt_end {
  enum class what : std::uint8_t {
    answered,       // with a whole response head of `status`
    not_for_it,     // the provider is another than the one that the client's own key is for
    superseded,     // by a reload, before anything was sent: the provider, or its key, is another now
    no_connection,  // nothing was sent
    broken,         // the connection ended before a whole head
    unacceptable,   // not HTTP as we accept it
    timeout,        // no head within first_byte
    interrupted,    // the client has left
  } kind = what::broken;
  unsigned status = 0;                    // of the answer; 0: there is none
  std::optional<duration> retry_after{};  // of the answer
  bool certificate = false;               // a certificate that is not acceptable
  bool sent = false;                      // some of the request may have reached the provider
  bool stale = false;                     // a kept connection ended before a byte of an answer: the request met nobody
  duration rested{};                      // how long that connection had been kept unused
  bool local = false;                     // an error of this machine

  /// Not so: it was answered, or nothing was tried.
  bool failed() const {
    return kind != what::answered && kind != what::interrupted && kind != what::not_for_it && kind != what::superseded;
  }
};

/// A word for metrics: "connect", "broken", "protocol", "timeout"; for an answer "status".
const char* name_of(attempt_end::what kind);

/// What an attempt says about the provider's health.
enum class verdict_on_provider : std::uint8_t { none, well, failing };

/// What to do next. After `reject`, `relay` and `hang_up` the exchange is over.
struct exchange_step {
  enum class what : std::uint8_t {
    submit,            // ask the limiter
    renew,             // ask the limiter anew: its release is too old to be sent by
    wait_for_quota,    // until the ticket is released or rejected
    wait_for_breaker,  // until an attempt is allowed, at most until facts.wait_until
    attempt,           // connect, send, read the answer's head
    pause,             // for `pause`
    ask_about_429,     // let the limiter judge the answer
    relay,             // pass the answer on
    reject,            // answer with `why`
    hang_up,           // nobody is there to be answered
  } next = what::hang_up;
  bool fresh = false;        // attempt: on a new connection
  bool in_progress = false;  // wait_for_quota: it has been released before, so a shutdown does not end it
  bool repeat = false;       // pause: what follows counts as a repeat
  duration pause{};
  reason why = reason::internal_error;
  std::optional<duration> retry_after{};  // of a rejection
  bool unsent = false;  // renew, reject, hang_up: nothing has reached the provider (renew: since its release)
  verdict_on_provider verdict = verdict_on_provider::none;  // to be told to the breaker, if it allowed an attempt
};

class exchange_plan {
 public:
  explicit exchange_plan(const exchange_facts& facts) : facts_(facts) {}

  /// `breaker_admits`: an attempt would be allowed now; otherwise it is in `breaker_opens_in`.
  exchange_step begin(bool breaker_admits, duration breaker_opens_in, time_point now);

  /// The ticket is released: at once, after waiting, or anew.
  exchange_step released(time_point now);
  /// The ticket waits (again).
  exchange_step queued();

  /// The wait for quota, for the breaker or for a pause was interrupted.
  exchange_step client_left() const;
  exchange_step draining() const;

  exchange_step allowed(bool trial, time_point now);
  /// The breaker has not allowed an attempt in time.
  exchange_step breaker_stayed_open(duration opens_in) const;

  exchange_step ended(const attempt_end& end, time_point now);
  exchange_step paused(time_point now);

  /// The limiter has judged a 429: it goes to the client as it is.
  static exchange_step pass_429();

  unsigned repeats() const { return repeats_; }

 private:
  exchange_step next_attempt(time_point now);
  exchange_step failed(const attempt_end& end, time_point now);
  exchange_step repeat_or(const exchange_step& last, const attempt_end& end);
  exchange_step rejection(reason why, std::optional<duration> retry_after) const;
  verdict_on_provider judge(const attempt_end& end) const;

  exchange_facts facts_;
  unsigned repeats_ = 0;
  bool sent_ = false;                      // something may have reached the provider
  bool sent_by_release_ = false;           // since the last release
  bool fresh_ = false;                     // the next attempt is to be made on a new connection
  bool renewing_ = false;                  // it has been released before, and goes on as soon as it is again
  bool trial_ = false;                     // the breaker let the attempt go to find out
  bool has_waited_ = false;                // for quota or for the breaker
  time_point asked_at_{};                  // the breaker
  std::optional<time_point> released_at_;  // the last time
};

}  // namespace cooldown
