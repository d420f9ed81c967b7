// Recognizes headers that are copies of older ones.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "cooldown/limit/rate_limit_snapshot.hpp"
#include "cooldown/time.hpp"

namespace cooldown {

/// Some providers, and each of their replicas, read their counters only every few seconds and show the same values in
/// every answer until then. Such a copy carries no new information: it is dated by the answer that showed it first. A
/// copy repeats a whole snapshot although the remaining should have changed. If it should not have changed, as with
/// free requests or a full bucket, a repetition counts as new.
class reading_age {
 public:
  /// The answer to a request sent at `sent` shows `s`; `surprising`: that differs clearly from the model. Returns true
  /// if it is a copy.
  bool repeats(const rate_limit_snapshot& s, bool surprising, time_point sent);

 private:
  using values = per_limit<std::optional<std::uint64_t>>;
  struct seen {
    values remaining;
    time_point sent;  // the request whose answer showed it first
  };
  std::deque<seen> seen_;  // latest last
};

}  // namespace cooldown
