// Finds the window of a limit whose headers do not name it.
#pragma once

#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

/// x-ratelimit-limit-requests is a limit per minute at OpenAI, and per day at Groq. If the reset is the time until
/// full, it tells which: used ÷ limit = reset ÷ window. A result that occurs three times in a row is used; until then
/// what is usual in the dialect.
class unnamed_window {
 public:
  /// `start`: until readings tell.
  explicit unnamed_window(window start = window::minute) : over_(start), told_(start) {}

  /// Learns from one answer. Returns true if the window has changed.
  bool observe(const limit_snapshot& s);

  window over() const { return over_; }

 private:
  window over_;
  window told_;         // according to the last conclusive readings
  unsigned times_ = 0;  // in a row
};

}  // namespace cooldown
