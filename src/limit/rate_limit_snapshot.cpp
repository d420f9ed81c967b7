#include "cooldown/limit/rate_limit_snapshot.hpp"

namespace cooldown {

const char* name_of(resource r) {
  switch (r) {
    case resource::requests:
      return "requests";
    case resource::tokens:
      return "tokens";
    case resource::total_tokens:
      return "total_tokens";
  }
  return "tokens";
}

const char* name_of(window w) {
  switch (w) {
    case window::minute:
      return "minute";
    case window::hour:
      return "hour";
    case window::day:
      return "day";
  }
  return "minute";
}

}  // namespace cooldown
