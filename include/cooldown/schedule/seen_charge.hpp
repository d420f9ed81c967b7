// What headers show about the tokens that a request was charged.
#pragma once

namespace cooldown {

struct seen_charge {
  double tokens = 0;  // an upper bound if not `alone`
  /// No other request and no refill can explain it.
  bool alone = true;
};

}  // namespace cooldown
