#include "cooldown/limit/refill_test.hpp"

#include <algorithm>
#include <cmath>

namespace cooldown {
namespace {

// So many like it a bucket would have had: others may have taken some.
constexpr double room = 3;

// Windows until the next test, doubled with each refusal, so often.
constexpr int first_pause = 2;
constexpr unsigned most_doublings = 6;

// Each test comes this part of the time later than the one before, beginning anew beyond all of it: so they spread
// evenly.
constexpr double golden_ratio = 0.618;

}  // namespace

std::optional<time_point> refill_test::due(double n, const bucket& b) const {
  if (room * n > b.limit || !(b.rate > 0)) return std::nullopt;
  return std::max(not_before_, b.shown_at + duration_of_seconds(std::max(0.0, room * n - b.level) / b.rate));
}

double refill_test::delay() const {
  return std::fmod(golden_ratio * refusals_, 1);
}

void refill_test::sent(std::uint64_t sequence, double decisive, duration window, time_point now) {
  under_way_ = sequence;
  decisive_ = decisive;
  not_before_ = now + window * first_pause * (1 << std::min(refusals_, most_doublings));
}

void refill_test::refused(duration window, time_point now) {
  sent(0, 0, window, now);
  ++refusals_;
}

}  // namespace cooldown
