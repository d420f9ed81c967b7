// Over what time a limit counts whose headers do not say it.
#pragma once

#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

/// x-ratelimit-limit-requests is a limit of a minute at OpenAI, and of a day at Groq. Where the reset is the time until
/// it is full again, it tells: used ÷ limit = reset ÷ window. What it tells three times in a row is believed; until
/// then it is a minute.
class unnamed_window {
 public:
  /// What one answer shows. True: from now on it is another window.
  bool observe(const limit_snapshot& s);

  window over() const { return over_; }

 private:
  window over_ = window::minute;
  window told_ = window::minute;  // by the last readings that told anything
  unsigned times_ = 0;            // in a row
};

}  // namespace cooldown
