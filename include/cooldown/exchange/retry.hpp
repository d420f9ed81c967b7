// Whether a failed attempt is retried (RFC 9110 §9.2.2; a completion has no effect except its answer and its price).
#pragma once

#include <optional>
#include <string_view>

#include "cooldown/time.hpp"

namespace cooldown {

/// The facts that the decision depends on.
struct attempt_facts {
  bool metered = false;           // costs tokens: may be retried
  std::string_view method;        // unmetered requests are retried only if idempotent
  unsigned repeats = 0;           // retries so far
  unsigned allowed = 0;           // retries configured
  bool certificate = false;       // the certificate was not accepted: a retry cannot help
  bool sent = false;              // some of the request may have reached the upstream
  bool stale = false;             // a kept connection ended before the first byte of an answer
  duration rested{};              // how long that connection had been idle
  bool response_started = false;  // some of the answer has reached the client
  unsigned status = 0;            // of a complete response head; 0: none came
  std::optional<duration> retry_after;
};

/// The pause before the next attempt; nullopt: give up. The attempt after a stale connection is made on a new one and
/// does not count as a retry.
std::optional<duration> retry_pause(const attempt_facts& f);

}  // namespace cooldown
