// Whether an attempt that failed is made again (RFC 9110 §9.2.2; a completion has no effect but its answer and its
// price).
#pragma once

#include <optional>
#include <string_view>

#include "cooldown/time.hpp"

namespace cooldown {

/// Everything the decision depends on.
struct attempt_facts {
  bool metered = false;           // a completion: may be repeated
  std::string_view method;        // of the others, only idempotent ones may
  unsigned repeats = 0;           // made so far
  unsigned allowed = 0;           // configured
  bool certificate = false;       // a certificate that is not acceptable does not become so
  bool sent = false;              // some of the request may have reached the upstream
  bool stale = false;             // a kept connection ended before a byte of an answer: the request met nobody
  duration rested{};              // how long that connection had been kept unused
  bool response_started = false;  // some of the answer has reached the client
  unsigned status = 0;            // of a complete response head; 0: none came
  std::optional<duration> retry_after;
};

/// nullopt: give up; else how long to pause before the next attempt. One after a stale connection is to be made on a
/// new one and is not counted as a repeat.
std::optional<duration> retry_pause(const attempt_facts& f);

}  // namespace cooldown
