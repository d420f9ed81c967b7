// Finds the window of a limit whose headers do not name it.
#pragma once

#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

/// x-ratelimit-limit-requests is a limit per minute at OpenAI, and per day at Groq. If the reset is the time until
/// full, it tells which: used ÷ limit = reset ÷ window. A result that occurs three times in a row is used; until then a
/// minute is assumed.
class unnamed_window {
 public:
  /// Learns from one answer. Returns true if the window has changed.
  bool observe(const limit_snapshot& s);

  window over() const { return over_; }

 private:
  window over_ = window::minute;
  window told_ = window::minute;  // according to the last conclusive readings
  unsigned times_ = 0;            // in a row
};

}  // namespace cooldown
