// One limit in operation: how much is left, and when more will be. Three refill rules behind one interface. Amounts are
// whole requests or tokens; times are nanoseconds since the simulation's epoch and must not go back. The arithmetic is
// exact, except that the result is rounded up to a nanosecond.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "cooldown/sim/limits.hpp"

namespace cooldown::sim {

// Identifies a charge, for a later correction. Sequence numbers increase with every charge.
struct charge_stamp {
  std::uint64_t sequence = 0;
  nanoseconds at{0};
};

class meter {
 public:
  meter() = default;
  meter(const meter&) = delete;
  meter& operator=(const meter&) = delete;
  virtual ~meter() = default;

  virtual std::int64_t limit() const = 0;

  // The earliest time, `from` or later, at which `amount` fits if nothing else is charged; nothing if it never does.
  virtual std::optional<nanoseconds> ready_at(std::int64_t amount, nanoseconds from) const = 0;

  // Charges `amount`, whether it fits or not.
  virtual void charge(std::int64_t amount, const charge_stamp& stamp) = 0;

  // Corrects the charge at `stamp` by `difference` (positive: more was used).
  virtual void correct(std::int64_t difference, const charge_stamp& stamp, nanoseconds now) = 0;

  // What is left, never below 0.
  virtual std::int64_t remaining(nanoseconds now) = 0;

  // The provider's "reset": time until full (bucket), until the window's end, or until the oldest charge expires
  // (sliding).
  virtual nanoseconds reset_after(nanoseconds now) = 0;

  // Changes the limit; what has been used stays used.
  virtual void set_limit(std::int64_t limit, nanoseconds now) = 0;

  // Everything is available again.
  virtual void refill(nanoseconds now) = 0;
};

// A meter of `limit` (> 0) per `window`, of which somebody else uses `foreign` per window. `wall_at_epoch` is the wall
// clock at time 0, to which fixed windows are aligned.
std::unique_ptr<meter> make_meter(refill_rule rule, std::int64_t limit, nanoseconds window, nanoseconds wall_at_epoch,
                                  std::int64_t foreign);

}  // namespace cooldown::sim
