#include "cooldown/limit/refill.hpp"

namespace cooldown {

const char* name_of(refill r) {
  switch (r) {
    case refill::continuous:
      return "continuous";
    case refill::window:
      return "window";
    case refill::sliding:
      return "sliding";
  }
  return "continuous";
}

}  // namespace cooldown
