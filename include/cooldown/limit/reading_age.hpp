// Tells headers that were made for their answer from copies of older ones.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Some providers read their counters only so often, each replica for itself, and show what they have read with every
/// answer until they read again. Such a copy says nothing new: it is to be dated by the answer that showed it first.
/// What gives it away is that it repeats a whole snapshot although the remaining should have changed. Where it should
/// not have, as with requests that are free or out of a full bucket, a repetition is news like any other.
class reading_age {
 public:
  /// The answer to a request sent at `sent` shows `s`, and `surprising` says whether that differs clearly from what
  /// was to be expected. True: it is a copy.
  bool repeats(const rate_limit_snapshot& s, bool surprising, time_point sent);

 private:
  using values = std::array<std::optional<std::uint64_t>, slot_count>;
  struct seen {
    values remaining;
    time_point sent;  // the request whose answer showed it first
  };
  std::deque<seen> seen_;  // the latest last
};

}  // namespace cooldown
