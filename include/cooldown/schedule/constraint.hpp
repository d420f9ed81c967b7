// What holds a request back: the answer to "why does it wait?", in response fields, logs, metrics and on the page.
#pragma once

#include <cstdint>

#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

/// A limit by its slot, or one of those before them.
enum class constraint : std::uint8_t {
  none,
  others_ahead,     // it would fit, but is not next
  in_flight,        // queue.max_in_flight requests are at the provider, or as many as may try a suspected one
  paused,           // somebody paused its scope
  provider_pause,   // the provider asked for a pause, or was out of a quota that it does not report
  recovery,         // after a refusal: one at a time until one is admitted
  capacity,         // the provider was busy: a refused request waits, or all do when nothing gets through
  concurrency,      // as many are at the provider as it takes at once
  spacing,          // the provider has refused bursts: releases are spaced out
  first_answers,    // until an answer has shown the limits, few are risked
  circuit_breaker,  // the provider fails
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
