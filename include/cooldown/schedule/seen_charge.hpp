// What headers have shown of the tokens that a request was charged.
#pragma once

namespace cooldown {

struct seen_charge {
  double tokens = 0;  // or less, if not `alone`
  /// Nothing else can explain it: no other request, no refill.
  bool alone = true;
};

}  // namespace cooldown
