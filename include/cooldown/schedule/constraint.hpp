// What holds a request back: the answer to "why does it wait?", in response headers, logs, metrics and on the page.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cooldown/limit/limit_id.hpp"

namespace cooldown {

/// One of these reasons, or a limit: what it counts, and about how long its window is.
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
  first_limit,      // limits follow: every resource with every kind of window
};

inline constexpr window window_kinds[] = {window::second, window::minute, window::hour, window::day, window::month};

constexpr std::size_t constraint_count =
    static_cast<std::size_t>(constraint::first_limit) + resource_count * std::size(window_kinds);

/// A window counts as the longest of `window_kinds` that is not longer: one of 10 s as a second.
constexpr constraint constraint_of(limit_id id) {
  std::size_t kind = 0;
  while (kind + 1 < std::size(window_kinds) && window_kinds[kind + 1] <= id.over) ++kind;
  return static_cast<constraint>(static_cast<std::size_t>(constraint::first_limit) +
                                 static_cast<std::size_t>(id.counts) * std::size(window_kinds) + kind);
}

/// A word for programs: "tokens_minute", "others_ahead". Empty for none.
const char* name_of(constraint c);

/// Half a sentence for people: "the tokens of this minute are used up". Empty for none.
const char* text_of(constraint c);

}  // namespace cooldown
