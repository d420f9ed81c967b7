// How long something lasts, on the average of the latest.
#pragma once

#include "cooldown/time.hpp"

namespace cooldown {

/// Zero: there has been none. The first stands for itself, each after it moves the average by one part in `parts`.
inline void average(duration& of, duration next, int parts) {
  of = of == duration::zero() ? next : of + (next - of) / parts;
}

}  // namespace cooldown
