// What holds a request back: the answer to "why does it wait?", in response headers, logs, metrics and on the page.
#pragma once

#include <cstdint>

#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

/// One of these reasons, or a limit by its slot.
enum class constraint : std::uint8_t {
  none,
  others_ahead,     // quota is available, but others are ahead
  in_flight,        // queue.max_in_flight requests are at the provider, or all trial requests of the half-open breaker
  paused,           // somebody paused its scope
  provider_pause,   // the provider asked for a pause, or refused because of a limit that it does not report
  recovery,         // after a refusal: one request at a time until one is admitted
  capacity,         // the provider was busy: the refused request waits; all do if no request succeeds
  concurrency,      // the provider's concurrency limit is reached
  spacing,          // the provider has refused bursts: requests are spaced out
  first_answers,    // until an answer has shown the limits, few requests are sent
  circuit_breaker,  // the provider keeps failing, or the request is retried after a pause
  first_limit,      // slot 0; the other slots follow
};

constexpr std::size_t constraint_count = static_cast<std::size_t>(constraint::first_limit) + slot_count;

constexpr constraint constraint_of(std::size_t slot) {
  return static_cast<constraint>(static_cast<std::size_t>(constraint::first_limit) + slot);
}

/// A word for programs: "tokens_minute", "others_ahead". Empty for none.
const char* name_of(constraint c);

/// Half a sentence for people: "the tokens of this minute are used up". Empty for none.
const char* text_of(constraint c);

}  // namespace cooldown
