// A slowly moving average of durations.
#pragma once

#include "cooldown/time.hpp"

namespace cooldown {

/// Moves `of` towards `next` by one part in `parts`. Zero means no value yet: the first value is taken as it is.
inline void average(duration& of, duration next, int parts) {
  of = of == duration::zero() ? next : of + (next - of) / parts;
}

}  // namespace cooldown
